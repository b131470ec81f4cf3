"""``dis``: a pair model for any processor. Classical motion, no network, no weights, no torch.

``flow`` finds motion with OpenCV's dense inverse search, ``blend`` fetches and mixes along it,
``model`` puts both together for the pictures of one stream.
"""
