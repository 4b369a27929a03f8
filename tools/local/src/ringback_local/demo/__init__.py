"""A workday of several tenants through the whole stack, shown live, broken on purpose, and judged at the end."""
