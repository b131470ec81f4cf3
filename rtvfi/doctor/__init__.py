"""``rtvfi doctor``: checks everything that playing needs, and says how to fix what is wrong."""
