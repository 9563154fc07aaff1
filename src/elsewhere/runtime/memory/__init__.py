"""Large data: blocks of anonymous shared memory, who holds them, and how they cross without a copy."""
