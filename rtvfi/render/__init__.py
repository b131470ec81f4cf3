"""``rtvfi render``: the offline front end."""
