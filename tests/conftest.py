"""Settings of all tests."""

from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

# Everything that a run leaves behind lies under build/.
set_hypothesis_home_dir("build/.hypothesis")
settings.register_profile("pocketrec", deadline=None)
settings.load_profile("pocketrec")
