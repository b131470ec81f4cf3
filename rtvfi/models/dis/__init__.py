"""``dis``: a two-frame model for any CPU: classical optical flow, no network, weights or torch.

``flow`` estimates motion with OpenCV's dense inverse search, ``blend`` warps and blends pictures
along it, and ``model`` combines both for the pictures of one stream.
"""
