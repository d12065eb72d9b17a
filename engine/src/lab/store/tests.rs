use std::io::Write as _;

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// A store whose files live as long as the directory.
fn store(directory: &tempfile::TempDir) -> Store {
    Store::new(directory.path(), "k3s-double-tunnel")
}

fn log_of(store: &Store) -> PathBuf {
    store.path.with_extension("log")
}

fn as_json(world: &World) -> serde_json::Value {
    serde_json::to_value(world).unwrap()
}

/// A world that is stored with one change in its log.
fn changed_once(store: &Store) -> (World, Version) {
    let mut world = World::empty();
    let version = store.save(&mut world, None).unwrap();
    change(&mut world, 1);
    let version = store.save(&mut world, Some(&version)).unwrap();
    (world, version)
}

/// Puts an object, counts a command and lets time pass; or takes the object away.
fn change(world: &mut World, nth: u8) {
    world.now += 1;
    let key = format!("pods/default/pod-{}", nth % 5);
    if nth.is_multiple_of(3) {
        world.objects.remove(&key);
    } else {
        world.objects.insert(key, json!({"nth": nth}));
    }
    *world
        .counts
        .commands
        .slot("host")
        .entry(format!("command {}", nth % 4))
        .or_default() += 1;
    *world.counts.markers.slot(&format!("marker-{nth}")) += 1;
    world.counts.refused += 1;
}

#[test]
fn a_state_of_another_format_is_refused_as_such_whatever_it_says() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    std::fs::write(&store.path, r#"{"format": 1, "hosts": "of another kind"}"#).unwrap();
    let why = store.load().unwrap_err().to_string();
    assert!(
        why.contains("format 1") && why.contains("lab reset k3s-double-tunnel`"),
        "{why}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whoever follows, and whoever comes anew, sees what the writer has stored.
    #[test]
    fn what_was_changed_is_what_is_read(changes in proptest::collection::vec(any::<u8>(), 1..40)) {
        let directory = tempfile::tempdir().unwrap();
        let store = store(&directory);
        let (mut world, mut version) = (World::empty(), None);
        let mut follower: Option<(World, Version)> = None;
        for nth in changes {
            change(&mut world, nth);
            version = Some(store.save(&mut world, version.as_ref()).unwrap());
            prop_assert!(store.is_at(version.as_ref()).unwrap());
            let (loaded, loaded_version) = store.load().unwrap().unwrap();
            prop_assert_eq!(as_json(&loaded), as_json(&world));
            prop_assert!(store.is_at(Some(&loaded_version)).unwrap());
            follower = match follower {
                Some((mut behind, at)) if nth % 2 == 0 => {
                    prop_assert!(!store.is_at(Some(&at)).unwrap());
                    let at = store.follow(&mut behind, &at).unwrap().unwrap();
                    prop_assert_eq!(as_json(&behind), as_json(&world));
                    Some((behind, at))
                }
                None => Some((loaded, loaded_version)),
                other => other,
            };
        }
    }
}

#[test]
fn a_change_that_was_not_written_to_its_end_does_not_count() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let (mut world, version) = changed_once(&store);
    let before = as_json(&world);
    let confirmed = version.mark.whole as usize;
    change(&mut world, 2);
    store.save(&mut world, Some(&version)).unwrap();
    let whole = std::fs::read(log_of(&store)).unwrap();
    for length in confirmed..whole.len() {
        std::fs::write(log_of(&store), &whole[..length]).unwrap();
        let (mut found, version) = store.load().unwrap().unwrap();
        assert_eq!(as_json(&found), before, "{length} bytes");
        change(&mut found, 4);
        store.save(&mut found, Some(&version)).unwrap();
        let (again, _) = store.load().unwrap().unwrap();
        assert_eq!(as_json(&again), as_json(&found), "{length} bytes");
    }
}

#[test]
fn a_change_that_others_follow_and_is_none_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    changed_once(&store);
    let good = std::fs::read_to_string(log_of(&store)).unwrap();
    let mut log = File::options().append(true).open(log_of(&store)).unwrap();
    log.write_all(b"{\"wor\n").unwrap();
    log.write_all(good.lines().last().unwrap().as_bytes())
        .unwrap();
    log.write_all(b"\n").unwrap();
    let why = store.load().unwrap_err().to_string();
    assert!(why.contains(&format!("byte {}", good.len())), "{why}");
    assert!(why.contains("lab reset k3s-double-tunnel`"), "{why}");
}

#[test]
fn nobody_follows_a_log_that_has_become_shorter() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let (mut world, version) = changed_once(&store);
    let whole = std::fs::read(log_of(&store)).unwrap();
    std::fs::write(log_of(&store), &whole[..whole.len() - 1]).unwrap();
    assert!(store.follow(&mut world, &version).unwrap().is_none());
    std::fs::remove_file(log_of(&store)).unwrap();
    assert!(!store.is_at(Some(&version)).unwrap());
    assert!(store.follow(&mut world, &version).unwrap().is_none());
    let (found, _) = store.load().unwrap().unwrap();
    assert_eq!(as_json(&found), as_json(&World::empty()));
}

#[test]
fn a_log_of_another_world_is_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    changed_once(&store);
    let log = std::fs::read(log_of(&store)).unwrap();
    // It was replaced, and whoever did that was killed before the log was gone.
    let mut afresh = World::empty();
    store.save(&mut afresh, None).unwrap();
    std::fs::write(log_of(&store), log).unwrap();
    let (mut found, version) = store.load().unwrap().unwrap();
    assert_eq!(as_json(&found), as_json(&afresh));
    change(&mut found, 2);
    store.save(&mut found, Some(&version)).unwrap();
    let (again, _) = store.load().unwrap().unwrap();
    assert_eq!(as_json(&again), as_json(&found));
}

#[test]
fn a_change_costs_what_has_changed_and_a_long_log_becomes_the_world() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let mut world = World::empty();
    for nth in 0..2_000 {
        let object = json!({"text": "x".repeat(100)});
        world.objects.insert(format!("pods/default/{nth}"), object);
    }
    let mut version = store.save(&mut world, None).unwrap();
    let (size, mut longest) = (version.stamp.size, 0);
    for nth in 0..3_000 {
        world.objects.insert(
            "pods/default/one".into(),
            json!({"nth": nth, "text": "y".repeat(100)}),
        );
        let before = version.mark.whole;
        version = store.save(&mut world, Some(&version)).unwrap();
        assert!(version.mark.whole < before + 2_000);
        longest = longest.max(version.mark.whole);
    }
    assert!(longest < SHORT.max(TIMES * size) + 2_000, "{longest}");
    let (found, _) = store.load().unwrap().unwrap();
    assert_eq!(as_json(&found), as_json(&world));
}
