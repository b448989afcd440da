"""Places, which are paths or URLs: parsing them, working with folders there, and locks for writers."""
