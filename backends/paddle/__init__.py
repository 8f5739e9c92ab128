"""PaddlePaddle: imported without a word, a namespace of its own, since Paddle has none of the standard; adapter."""

from multimlp.backends.paddle._quiet import import_paddle

import_paddle()  # the modules below import it in the ordinary way

from multimlp.backends.paddle.adapter import PaddleBackend  # noqa: E402

__all__ = ["PaddleBackend"]
