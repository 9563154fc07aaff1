"""Large data in shared memory: who owns a block, who has it, and when it can be used again."""
