"""The seed of the suite: other numbers, as another CPU gives them too, must break no test.

`TEST_SEED=1 pytest ...` shifts the seeds of the small project, the swarms and the training data
that tests share. `ONEDNN_MAX_CPU_ISA=AVX2 pytest ...` changes the last digits of all losses.
"""

import os

SEED = int(os.environ.get("TEST_SEED", "0"))
