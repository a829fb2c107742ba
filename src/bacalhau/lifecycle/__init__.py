"""State machines of jobs, executions and node connections: values in, values out."""
