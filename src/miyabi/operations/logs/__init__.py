"""Reading log groups and keeping them: CloudWatch Logs' API and nothing else, so the same on both clouds."""
