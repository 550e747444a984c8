//! Sockets handed from one process to the next, and what happens when either goes wrong.

use super::*;

const SOON: Duration = Duration::from_millis(50);

/// `super::receive` with `signal` in place of SIGQUIT.
pub(in crate::server) fn receive_after(data_dir: &Path, signal: impl FnOnce()) -> Handover {
    super::receive_after(data_dir, 1, ANSWER_WITHIN, || {
        signal();
        Ok(())
    })
    .unwrap()
}

fn socket() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

#[test]
fn more_sockets_than_one_message_of_pingora_holds() {
    let dir = tempfile::tempdir().unwrap();
    let sockets: Vec<_> = (0..100).map(|index| (format!("public#{index}"), socket())).collect();
    let addresses: Vec<_> = sockets.iter().map(|(_, socket)| socket.local_addr().unwrap()).collect();
    let path = dir.path().to_owned();
    let mut sending = None;
    let mut handover = receive_after(dir.path(), || sending = Some(std::thread::spawn(move || send(&path, &sockets))));
    assert!(handover.take("admin").is_empty());
    let received: Vec<_> = handover.take("public").iter().map(|socket| socket.local_addr().unwrap()).collect();
    assert_eq!(received, addresses);
    handover.confirm().unwrap();
    sending.unwrap().join().unwrap().unwrap();
    assert!(!socket_path(dir.path()).exists());
}

#[test]
fn a_new_process_that_dies_before_it_serves_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let sockets = vec![("public#0".to_owned(), socket())];
    let path = dir.path().to_owned();
    let mut sending = None;
    drop(receive_after(dir.path(), || sending = Some(std::thread::spawn(move || send(&path, &sockets)))));
    let error = sending.unwrap().join().unwrap().unwrap_err();
    assert!(matches!(error, UpgradeError::Channel { .. }), "{error}");
}

#[test]
fn nobody_to_take_over_from() {
    let dir = tempfile::tempdir().unwrap();
    let error = receive(dir.path()).unwrap_err().to_string();
    let pid_file = dir.path().join("tidegate.pid");
    assert_eq!(
        error,
        format!(
            "nothing to upgrade: no tidegate holds {}; start without --upgrade, or check `data_dir`",
            pid_file.display()
        )
    );
    // A crash left its file: nobody is signalled.
    std::fs::write(&pid_file, "1\n").unwrap();
    assert!(matches!(receive(dir.path()), Err(UpgradeError::NotRunning { .. })));
}

#[test]
fn a_process_that_does_not_answer() {
    let dir = tempfile::tempdir().unwrap();
    let error = super::receive_after(dir.path(), 42, SOON, || Ok(())).unwrap_err();
    assert!(matches!(error, UpgradeError::NoAnswer { pid: 42 }), "{error}");
    let error = super::receive_after(dir.path(), 42, SOON, || Err(io::ErrorKind::PermissionDenied.into())).unwrap_err();
    assert!(error.to_string().contains("run the upgrade as the same user"), "{error}");
    assert!(!socket_path(dir.path()).exists());
}

#[test]
fn nobody_who_asked() {
    let dir = tempfile::tempdir().unwrap();
    assert!(send(dir.path(), &[]).is_err());
}

#[test]
fn addresses_that_changed_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let sockets = vec![("public#0".to_owned(), socket())];
    let before = sockets[0].1.local_addr().unwrap();
    let path = dir.path().to_owned();
    let mut handover = receive_after(dir.path(), || drop(std::thread::spawn(move || send(&path, &sockets))));
    let (listen, admin) = ("127.0.0.2:0".parse().unwrap(), "127.0.0.1:0".parse().unwrap());
    let mut notes = Vec::new();
    let taken = crate::server::Sockets::take_over(&mut handover, listen, admin, 2, &mut notes).unwrap();
    assert_eq!(taken.public[0].local_addr().unwrap().ip(), listen.ip());
    assert_eq!(
        notes,
        [
            format!("`listen` was {before} and is 127.0.0.2:0 now, opening it anew"),
            "no socket for `admin` was handed over, opening 127.0.0.1:0 anew".to_owned()
        ]
    );
}
