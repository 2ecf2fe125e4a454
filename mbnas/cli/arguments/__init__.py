"""What each verb takes, with its help. One verb a file, none of which loads what the verb does.

That takes seconds (torch, plotly), and whoever asks for help or mistypes an option is not to wait
for it; a `--limit` apart, whose words its room checks. So the defaults of rooms stand here once
more; a test holds them equal.
"""
