"""Tasks, and to execute them on their hosts."""

from elsewhere.fabric.v1.tasks.execute import execute
from elsewhere.fabric.v1.tasks.task import Task, WrappedCallableTask, get_task_details, requires_parallel

__all__ = ["Task", "WrappedCallableTask", "execute", "get_task_details", "requires_parallel"]
