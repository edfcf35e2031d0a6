"""Settings of all tests: TensorFlow keeps quiet, uses little, and sees no network."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # the same kernels on every machine
os.environ.setdefault("NO_COLOR", "1")
for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
    os.environ.pop(proxy, None)  # tests speak to 127.0.0.1 alone
