"""The Android library and app, built from the Gradle project's sources without an Android SDK."""
