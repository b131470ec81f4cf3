"""``rtvfi studio``: a local web page to retime the objects of two pictures by hand."""
