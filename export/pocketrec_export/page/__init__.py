"""The build report as one HTML page without any other file: light and dark, readable on a phone."""
