"""What the locks of 3rdparty/python say, for all who ask."""
