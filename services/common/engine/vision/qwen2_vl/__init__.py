"""The Qwen2-VL family: patches, three-part positions, and its vision tower for many pictures at once."""
