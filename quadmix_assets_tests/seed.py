"""The seed of the suite: other numbers, as another CPU gives them too, must break no test.

`QUADMIX_TEST_SEED=1 pytest ...` shifts the seeds of the small project, the swarms and the training
data that tests share. `ONEDNN_MAX_CPU_ISA=AVX2 pytest ...` changes the last digits of all losses.
"""

import os

# Taken out of the environment: settings refuse what begins with QUADMIX_ and is none of theirs.
SEED = int(os.environ.pop("QUADMIX_TEST_SEED", "0"))
