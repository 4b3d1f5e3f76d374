"""From a blank tab to what was asked for, step by step."""
