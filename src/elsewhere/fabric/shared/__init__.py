"""What both dialects need of `Host`: commands whose output is shown while it comes, and single files."""
