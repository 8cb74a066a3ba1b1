"""What `pocketrec bench` does: measure a package, and compare it with an older one so that a CI job can stop.

::

    command ──► requests        what is asked: golden histories, seeded ones, titles; no user data
            ──► session         processes of both sides, blocks of calls in random order  ──► worker, in each process
            ──► instructions    of one call, where perf or valgrind can count
            ──► accuracy        of both packages, by `pocketrec evaluate` or by their own manifests
            ──► gates           figures and limits in, outcomes out  ──► summary: text, Markdown, JUnit
"""
