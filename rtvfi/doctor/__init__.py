"""``rtvfi doctor``: looks at everything that playing needs and says what to do about it."""
