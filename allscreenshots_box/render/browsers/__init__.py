"""Browsers: started, proven, watched, bounded and replaced, and spoken to."""
