"""From interactions and item texts to one offline package."""
