"""What each platform calls things, translated both ways: YAML mappings, read and written."""
