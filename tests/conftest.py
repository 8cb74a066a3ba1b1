"""Settings of all tests."""

from hypothesis import settings
from hypothesis.database import DirectoryBasedExampleDatabase

# Everything that a run leaves behind lies under build/.
settings.register_profile("pocketrec", database=DirectoryBasedExampleDatabase("build/.hypothesis"), deadline=None)
settings.load_profile("pocketrec")
