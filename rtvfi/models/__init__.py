"""Models: functions from pictures to pictures. They know nothing of video, files or threads."""
