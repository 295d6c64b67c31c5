"""Records in six API versions: fields, permissions, pagination."""
