"""The retry policy of steps that train."""

import sys

import dagster as dg


class RetryUnlessInterrupted(dg.RetryPolicy):
    """A retry after an error or a lost process, but not after Ctrl-C, SIGTERM or *Terminate*.

    Dagster asks the policy how long to wait, also when the step was interrupted, and would then
    start it once more.
    """

    def calculate_delay(self, attempt_num: int) -> float:
        """Seconds until the next attempt.

        Raises:
            BaseException: the interrupt that ended the step.
        """
        reason = sys.exc_info()[1]
        if isinstance(reason, KeyboardInterrupt | dg.DagsterExecutionInterruptedError):
            raise reason
        return float(super().calculate_delay(attempt_num))


RETRY_ONCE = RetryUnlessInterrupted(max_retries=1)
