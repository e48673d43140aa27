from libs.chassis.durability import Server, Stream, faults

SYNCED = Server("n1", sync_always=True)
LAZY = Server("n2", sync_always=False)
ONE = Stream("LEADS", replicas=1, in_memory=False)
THREE = Stream("LEADS", replicas=3, in_memory=False)


def in_cluster(name: str, *, sync: bool | None = True) -> Server:
    return Server(name, sync, clustered=True)


def test_a_single_node_that_syncs_keeps_what_it_acknowledges() -> None:
    assert faults([ONE], [SYNCED]) == ()


def test_three_replicas_on_nodes_that_sync_keep_what_they_acknowledge() -> None:
    assert faults([THREE], [in_cluster(name) for name in "abc"]) == ()


def test_a_lazy_server_is_named() -> None:
    [fault] = faults([ONE], [SYNCED, LAZY])
    assert "n2" in fault
    assert "sync_interval: always" in fault


def test_too_few_replicas_in_a_cluster_are_named() -> None:
    [fault] = faults([ONE], [in_cluster(name) for name in "abc"])
    assert "LEADS has 1 of 3 replicas" in fault


def test_a_stream_in_memory_is_named() -> None:
    [fault] = faults([Stream("LEADS", replicas=1, in_memory=True)], [SYNCED])
    assert "memory" in fault


def test_what_cannot_be_read_is_not_called_safe() -> None:
    [nobody] = faults([ONE], [])
    [silent] = faults([ONE], [Server("http://n1:8222", sync_always=None)])
    assert "LEADLOG_NATS_MONITOR_URL" in nobody
    assert "no answer from http://n1:8222" in silent
