"""Recordings whose every number is known, for the live view.

Publisher p has streams tango://h:1/live/P/S/x.change; each is received by the server Sub/1, which loses one
event of each stream of publisher 0 with each poll. Of the poll with number n (from 0):

    pushed      pushed_of(p, s, n)
    lost        n, for p = 0
    received    the rest
"""

import json

PERIOD_S = 10


def pushed_of(publisher, stream, poll):
    return 100 + (poll + 1) * 10 * (publisher + stream + 2)


def lost_of(publisher, poll):
    return poll if publisher == 0 else 0


def time_of(poll):
    seconds = poll * PERIOD_S
    return f"2026-03-01T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def name_of(publisher, stream):
    return f"live/{publisher}/{stream}/x.change"


def agent_of(pid, poll):
    return {
        "version": "0.1.0", "tango_version": "9.3.4", "pid": pid, "attached": "2026-02-28T00:00:00.000+00:00",
        "time": f"{time_of(poll)}.001+00:00",
    }


def line_of(poll, publishers, streams):
    replies = {}
    topics = {}
    for publisher in range(publishers):
        pushed_streams = {}
        for stream in range(streams):
            pushed, lost = pushed_of(publisher, stream, poll), lost_of(publisher, poll)
            pushed_streams[f"tango://h:1/{name_of(publisher, stream)}"] = {
                "pushed_event_count": pushed, "byte_count": 100 * pushed, "has_subscribers": True, "last_event": None,
            }
            topics[f"tango://h:1/live/{publisher}/{stream}/x.idl5_change"] = {
                "channel_name": f"tango://h:1/dserver/pub/{publisher}", "callback_count": 1,
                "server_counter": pushed, "event_count": pushed - lost, "missed_event_count": lost,
                "lost_event_count": lost, "outage_lost_event_count": 0, "discarded_event_count": 0,
                "publisher_restart_count": 0, "byte_count": 100 * (pushed - lost), "last_resubscribed": None,
                "last_event": None,
            }
        counters = {name: each["pushed_event_count"] for name, each in pushed_streams.items()}
        server = {"event_counters": counters, "event_streams": pushed_streams, "perf": None}
        answer = {"version": 1, "agent": agent_of(100 + publisher, poll), "server": server, "client": None}
        replies[f"dserver/Pub/{publisher}"] = {"data": answer}
    client = {"event_callbacks": topics, "not_connected": [], "event_channels": {}, "perf": None}
    replies["dserver/Sub/1"] = {
        "data": {"version": 1, "agent": agent_of(99, poll), "server": None, "client": client}
    }
    return json.dumps({"time": f"{time_of(poll)}.000000+00:00", "replies": replies}) + "\n"


def write(path, polls, publishers, streams):
    with path.open("w") as out:
        for poll in range(polls):
            out.write(line_of(poll, publishers, streams))
    return path
