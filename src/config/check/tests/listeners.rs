//! What an operator is told of listeners, their limits and deadlines.

use super::*;

#[test]
fn listeners_have_addresses_of_their_own() {
    insta::assert_snapshot!(with_upstream("listen: localhost:80\nadmin: :8080"), @r"
    f:1:9: `localhost:80` is no address to listen on
        hint: write 127.0.0.1:80
    f:2:8: `:8080` is no address to listen on
        hint: write 127.0.0.1:8080, or 0.0.0.0:8080 for all interfaces
    ");
    insta::assert_snapshot!(with_upstream("listen: 4141\nadmin: ${BAD}"), @r"
    f:1:9: `4141` is no address to listen on
        hint: write 127.0.0.1:4141
    f:2:8: the value of `${BAD}` is no address to listen on
        hint: write IP:PORT, such as 127.0.0.1:4141
    ");
    insta::assert_snapshot!(with_upstream("listen: 127.0.0.1:4142"), @r"
    f:1:9: `listen` and `admin` are the same address
        hint: the admin API must not be reachable through the public listener: give it a port of its own
    ");
    insta::assert_snapshot!(with_upstream("listen: 127.0.0.1:1\nadmin: 127.0.0.1:1"), @r"
    f:2:8: `listen` and `admin` are the same address
        hint: the admin API must not be reachable through the public listener: give it a port of its own
    ");
}

#[test]
fn a_public_listener_without_keys_is_refused_or_warned_about() {
    insta::assert_snapshot!(with_upstream("listen: 0.0.0.0:4141\nadmin: 10.0.0.1:4142"), @r"
    f:1:9: nobody is asked for a key (there are no `tenants`), and `0.0.0.0:4141` can be reached from other machines
        hint: use 127.0.0.1, add `tenants`, or set `server: {allow_public_without_keys: true}` where something else guards the port
    f:2:8: the admin API has no keys of its own, and `10.0.0.1:4142` can be reached from other machines
        hint: use 127.0.0.1, or set `server: {allow_public_without_keys: true}` where something else guards the port
    ");
    let allowed =
        with_upstream("server: {allow_public_without_keys: true}\nlisten: 0.0.0.0:4141\nadmin: 10.0.0.1:4142");
    insta::assert_snapshot!(allowed, @r"
    f:2:9: warning: nobody is asked for a key (there are no `tenants`), and `0.0.0.0:4141` can be reached from other machines
        hint: accepted because of `server.allow_public_without_keys`: guard the port yourself
    f:3:8: warning: the admin API has no keys of its own, and `10.0.0.1:4142` can be reached from other machines
        hint: accepted because of `server.allow_public_without_keys`: guard the port yourself
    ");
    insta::assert_snapshot!(with_upstream("server: {allow_public_without_keys: true}\nlisten: 0.0.0.0:1\nadmin: 127.0.0.1:1"), @r"
    f:3:8: `listen` and `admin` are the same address
        hint: the admin API must not be reachable through the public listener: give it a port of its own
    ");
}

#[test]
fn limits_and_deadlines_are_not_zero() {
    insta::assert_snapshot!(with_upstream(
        "data_dir: ''\n\
         retries: {max_attempts: 0}\n\
         server:\n\
        \x20 max_body: 0\n\
        \x20 max_header: 1KiB\n\
        \x20 max_connections: 0\n\
        \x20 workers: 0\n\
        \x20 header_timeout: 0s\n\
        \x20 body_timeout: 9999h\n\
        \x20 drain_timeout: 0s\n"
    ), @r"
    f:1:11: `data_dir` is empty
        hint: name a folder, such as ./data
    f:2:25: `max_attempts` must be at least 1
        hint: remove `max_attempts` for its default
    f:4:13: `max_body` must be at least 1
        hint: remove `max_body` for its default
    f:5:15: `max_header` must be at least 8KiB
        hint: SDKs send heads of up to 4 KiB, proxies add to them
    f:6:20: `max_connections` must be at least 1
        hint: remove `max_connections` for its default
    f:7:12: `workers` must be at least 1
        hint: remove `workers` for its default
    f:8:19: `header_timeout` must be longer than 0
        hint: write a length of time such as 300ms or 10s
    f:9:17: `body_timeout` is longer than a year
        hint: write a length of time such as 300ms or 10s
    ");
}
