"""Homes that follow: a user who writes from another region three times in a row lives there, and one who writes from
two regions by turns stays."""

import cluster as c


def home(cluster, user):
    shown = cluster.json("user", "show", user)
    return None if "moving" in shown else shown["home"]


def write(cluster, user, via, words):
    cluster.run("send", "--from", user, "--to", "carol", words, "--via", via)


def main():
    with c.Cluster(up=False) as cluster:
        cluster.run("init", "--regions", "sh,hk,ca")
        config = f"{cluster.data}/cluster.toml"
        with open(config) as file:
            text = file.read()
        with open(config, "w") as file:
            file.write("follow_writes = 3\nfollow_stay_seconds = 0\n" + text)
        cluster.up()
        for user in ("alice", "bob", "carol"):
            cluster.run("user", "create", user, "--home", "sh")
        sent = []
        for n in range(6):
            sent.append(f"bob {n}")
            write(cluster, "bob", ("hk", "ca")[n % 2], sent[-1])
        for n in range(3):
            c.check(home(cluster, "alice") == "sh", f"she stays for {n} writes")
            sent.append(f"alice {n}")
            write(cluster, "alice", "hk", sent[-1])
        c.wait_for("she lives where she writes", lambda: home(cluster, "alice") == "hk")
        c.check(home(cluster, "bob") == "sh", "he writes from two regions by turns")
        sent.append("alice again")
        write(cluster, "alice", "hk", sent[-1])
        c.wait_for("all that was written is with carol, once", lambda: sorted(
            b.decode() for _, b in cluster.inbox("carol")[0]) == sorted(sent))
        c.wait_for("all regions are equal", cluster.equal, 60)


main()
