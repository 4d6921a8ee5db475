//! Backups and back, in a real S3 API and a real MongoDB: one moment while others write, every byte, what is damaged or half
//! done refused, and the binary that the schedule invokes.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use backup::export::{BackupError, back_up};
use backup::folder::Folder;
use backup::manifest::{FILE, Manifest};
use backup::place::{PART_BYTES, Place, Writer};
use futures_util::FutureExt;
use http::StatusCode;
use local::doctor::{self, Whom};

use local::restore::{check, fetch, restore};
use mongodb::Database;
use mongodb::bson::{self, Bson, Document, RawDocumentBuf, Timestamp, doc};
use serde_json::{Value, json};
use shared::boot::Boot;
use shared::config::Config;
use shared::metrics::Metric;
use shared::store::dump::{Target, WholeError};
use tests::log::capture;
use tests::receiver::{Answers, Receiver};
use tests::runtime_api::Act;
use tests::scratch::Scratch;
use tests::{TestApp, User, random_name};

use crate::lambda::{PATIENCE, Running};

const KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/11111111-1111-4111-8111-111111111111";
const MINUTE: Duration = Duration::from_secs(60);

/// A bucket of the test's own.
struct Store {
    client: Client,
    name: String,
}

impl Store {
    async fn make() -> Self {
        let sdk = aws_config::defaults(aws_config::BehaviorVersion::latest()).load().await;
        assert!(sdk.endpoint_url().is_some(), "AWS_ENDPOINT_URL: run by make test");
        let config = aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build();
        let store = Self { client: Client::from_conf(config), name: format!("test-{}", random_name()) };
        store.client.create_bucket().bucket(&store.name).send().await.expect("a bucket");
        store
    }

    async fn keys(&self) -> Vec<String> {
        let listed = self.client.list_objects_v2().bucket(&self.name).send().await.expect("a list");
        listed.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()
    }

    /// How many uploads are begun and neither completed nor taken back.
    async fn begun(&self) -> usize {
        let listed = self.client.list_multipart_uploads().bucket(&self.name).send().await.expect("a list");
        listed.uploads().len()
    }
}

/// What the function is built from, on the app's database.
fn boot(app: &TestApp, bucket: &str) -> Boot {
    let mut variables = app.variables().clone();
    variables.insert("BACKUP_BUCKET".to_owned(), bucket.to_owned());
    variables.insert("BACKUP_KMS_KEY_ID".to_owned(), KEY.to_owned());
    Boot::with_clock(Config::load(&variables, backup::FUNCTION.needs).unwrap(), app.clock.clone())
}

/// One backup of the app, for who looks at what it logs.
pub(crate) async fn take_one(app: &TestApp) {
    let store = Store::make().await;
    backup::work(boot(app, &store.name), Instant::now() + MINUTE).await.unwrap();
}

/// An empty database beside the app's.
fn beside(app: &TestApp) -> (Boot, HashMap<String, String>) {
    let mut variables = app.variables().clone();
    variables.insert("MONGODB_DATABASE".to_owned(), format!("restored-{}", random_name()));
    (Boot::new(Config::load(&variables, backup::FUNCTION.needs.get(..1).unwrap()).unwrap()), variables)
}

async fn database(variables: &HashMap<String, String>) -> Database {
    let client = mongodb::Client::with_uri_str(&variables["MONGODB_URI"]).await.expect("a client");
    client.database(&variables["MONGODB_DATABASE"])
}

/// Users with every kind of entity, and documents of every type that MongoDB has.
async fn scene(app: &TestApp) -> User {
    let user = app.register().await;
    for n in 0..30 {
        let body = json!({"type": "expense", "amount": "1.00", "date": "2026-03-05", "description": format!("n{n}")});
        let key = format!("key-{n}");
        app.call(&user, "POST", "/transactions", &[("idempotency-key", &key)], Some(&body)).await.expect(201);
    }
    app.create(&user, "/accounts", json!({"name": "Savings", "type": "savings"})).await;
    let other = app.register().await;
    app.expense(&other, "2.00", "2026-01-05", "x").await;
    let odd = doc! {
        "_id": {"a": 1, "b": "two"}, "double": -0.0, "long": i64::MIN, "null": Bson::Null, "deep": {"a": [[{}, []]]},
        "regex": bson::Regex { pattern: bson::cstr!("^a").into(), options: bson::cstr!("i").into() },
        "code": Bson::JavaScriptCode("x".into()), "time": Timestamp { time: 1, increment: 2 },
        "date": bson::DateTime::from_millis(-1), "min": Bson::MinKey, "max": Bson::MaxKey, "": "an empty name",
        "decimal": "1.10".parse::<bson::Decimal128>().unwrap(), "bytes": bson::Binary { subtype: bson::spec::BinarySubtype::UserDefined(200), bytes: vec![0; 3] },
    };
    let database = app.database().await;
    database.collection::<Document>("odd-ones").insert_one(odd).await.unwrap();
    database.create_collection("empty-one").await.unwrap();
    user
}

type Contents = BTreeMap<String, Vec<Vec<u8>>>;

/// Every document's bytes, in order, by collection: now, or as of a moment.
async fn contents(database: &Database, moment: Option<Timestamp>) -> Contents {
    let mut found = Contents::new();
    for name in database.list_collection_names().await.unwrap() {
        let mut documents = Vec::new();
        let mut session = database.client().start_session().await.unwrap();
        let mut of = database.collection::<RawDocumentBuf>(&name);
        if let Some(moment) = moment {
            let options =
                mongodb::options::SessionOptions::builder().snapshot(true).snapshot_time(moment).build();
            session = database.client().start_session().with_options(options).await.unwrap();
            let concern = mongodb::options::ReadConcern::snapshot();
            let options = mongodb::options::CollectionOptions::builder().read_concern(concern).build();
            of = database.collection_with_options(&name, options);
        }
        let mut cursor = of.find(doc! {}).session(&mut session).await.unwrap();
        while cursor.advance(&mut session).await.unwrap() {
            documents.push(cursor.current().as_bytes().to_vec());
        }
        documents.sort();
        found.insert(name, documents);
    }
    found
}

/// The indexes of every collection: their keys and options.
async fn indexes(database: &Database) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for name in database.list_collection_names().await.unwrap() {
        let mut listed = database.run_cursor_command(doc! {"listIndexes": &name}).await.unwrap();
        let mut of = Vec::new();
        while listed.advance().await.unwrap() {
            of.push(listed.deserialize_current().unwrap().to_string());
        }
        of.sort();
        found.insert(name, of);
    }
    found
}

/// Writes, one transaction after the other, until it is told to stop.
async fn write_on(app: &TestApp, user: &User, stop: &AtomicBool, written: &AtomicUsize) {
    while !stop.load(Ordering::SeqCst) {
        app.expense(user, "3.00", "2026-04-05", "while it is backed up").await;
        written.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_backup_under_writes_is_of_one_moment_and_comes_back_byte_for_byte() {
    let log = capture();
    let (app, store, scratch) = (TestApp::start().await, Store::make().await, Scratch::make());
    let user = scene(&app).await;
    let (stop, written) = (AtomicBool::new(false), AtomicUsize::new(0));
    let backing_up = async {
        while written.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let before = written.load(Ordering::SeqCst);
        backup::work(boot(&app, &store.name), Instant::now() + MINUTE).await.unwrap();
        let meanwhile = written.load(Ordering::SeqCst) - before;
        stop.store(true, Ordering::SeqCst);
        assert!(meanwhile > 0, "nothing was written meanwhile");
    };
    tokio::join!(backing_up, write_on(&app, &user, &stop, &written));
    assert_eq!((log.metric(Metric::BackupCompleted), log.metric(Metric::BackupFailed)), (1, 0));
    let line = log.messages("backup completed").remove(0);

    let elsewhere = fetch(&store.name, Some(".."), scratch.path(), |_| {}).await.unwrap_err();
    assert_eq!(elsewhere.to_string(), "\"..\" is no backup's name");
    let folder = fetch(&store.name, None, scratch.path(), |_| {}).await.unwrap();
    let checked = check(&folder).unwrap();
    let manifest = Manifest::parse(&std::fs::read(folder.join(FILE)).unwrap()).unwrap();
    let (restored, variables) = beside(&app);
    restore(&restored, &checked, false, |_| {}).await.unwrap();
    let moment = Timestamp { time: manifest.moment.seconds, increment: manifest.moment.increment };
    let (wanted, found) = (
        contents(&app.database().await, Some(moment)).await,
        contents(&database(&variables).await, None).await,
    );
    let sizes = |of: &Contents| of.iter().map(|(name, all)| (name.clone(), all.len())).collect::<Vec<_>>();
    assert_eq!(sizes(&found), sizes(&wanted));
    assert!(found == wanted, "a document is not what it was, byte for byte");
    assert_eq!(line["documents"], json!(wanted.values().map(Vec::len).sum::<usize>()));
    assert!(
        wanted["transactions"].len() > 30 && wanted["odd-ones"].len() == 1 && wanted["sessions"].len() == 2
    );
    assert!(indexes(&database(&variables).await).await == indexes(&app.database().await).await);
    let findings = doctor::check(&restored, &Whom::All, |line| panic!("{line}")).await.unwrap();
    assert_eq!(
        (findings.users, findings.differences),
        (2, 0),
        "totals are of the moment of their transactions"
    );
}

/// A backup of the app in a folder.
async fn in_a_folder(app: &TestApp, scratch: &Scratch) -> PathBuf {
    let place = Place::Folder(Folder::new(scratch.path()));
    let until = Instant::now() + MINUTE;
    let written = back_up(&boot(app, "none"), &place, until, std::future::pending()).await.unwrap();
    scratch.path().join(written.name)
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// The command itself, as make calls it.
fn command(variables: &HashMap<String, String>, arguments: &[&str]) -> Output {
    let aws = shared::config::environment().into_iter().filter(|(name, _)| name.starts_with("AWS_"));
    let output = Command::new(crate::local_run::program())
        .args(arguments)
        .env_clear()
        .envs(aws)
        .envs(variables)
        .current_dir(crate::root())
        .output()
        .unwrap();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"));
    output
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_or_missing_is_refused_and_nothing_is_written() {
    let (app, scratch) = (TestApp::start().await, Scratch::make());
    scene(&app).await;
    let folder = in_a_folder(&app, &scratch).await;
    check(&folder).unwrap();
    let said = check(scratch.path()).map(|_| ()).unwrap_err().to_string();
    assert!(said.ends_with(&format!("Is it FROM={}?", folder.display())), "{said}");
    let all = files(&folder);
    assert!(all.len() > 20 && all.iter().any(|file| file.ends_with(FILE)), "{all:?}");
    for file in &all {
        let whole = std::fs::read(file).unwrap();
        let is_manifest = file.ends_with(FILE);
        let mut flipped = whole.clone();
        let at = whole.len() / 2;
        flipped[at] ^= 1;
        let mut longer = whole.clone();
        longer.push(b'x');
        for damaged in [&flipped[..], &whole[..whole.len() - 1], &longer] {
            std::fs::write(file, damaged).unwrap();
            let said = check(&folder).map(|_| ()).unwrap_err().to_string();
            // One bit of a manifest may make another hash, path or number of it, or no JSON.
            assert!(is_manifest || said.contains("is not what was written"), "{}: {said}", file.display());
        }
        std::fs::remove_file(file).unwrap();
        let said = check(&folder).map(|_| ()).unwrap_err().to_string();
        let expected = if is_manifest { "a backup without its manifest is none" } else { "cannot be read" };
        assert!(said.contains(expected), "{}: {said}", file.display());
        std::fs::write(file, whole).unwrap();
    }
    // Every hash is right, and a document is missing.
    let manifest = folder.join(FILE);
    let mut text: Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    text["collections"][0]["documents"] = 7.into();
    std::fs::write(&manifest, text.to_string()).unwrap();
    assert!(check(&folder).unwrap_err().to_string().contains("documents, and the manifest says 7"));

    let (_, variables) = beside(&app);
    let output = command(&variables, &["restore", folder.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("the manifest says 7") && said.lines().count() == 1, "{said}");
    assert_eq!(database(&variables).await.list_collection_names().await.unwrap(), Vec::<String>::new());
    // A database that is not there has no differences, and is not well.
    let output = command(&variables, &["doctor", "all"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("is MONGODB_DATABASE right?"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_back_up_and_restore_and_never_into_a_database_that_holds_something() {
    let (app, store) = (TestApp::start().await, Store::make().await);
    scene(&app).await;
    let bucket = format!("s3://{}", store.name);
    let output = command(app.variables(), &["backup", &bucket]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("is whole"), "{said}");
    let name = said.split("The backup ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let from = format!("{bucket}/backups/{name}");

    let before = contents(&app.database().await, None).await;
    let output = command(app.variables(), &["restore", &from]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("holds documents already"), "{said}");
    assert!(contents(&app.database().await, None).await == before);

    let (_, variables) = beside(&app);
    let output = command(&variables, &["restore", "latest", &store.name]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("together, as the manifest says") && said.contains("users checked: 2"), "{said}");
    assert!(said.ends_with("differences: 0\n"), "{said}");
    assert!(contents(&database(&variables).await, None).await == before);
    assert!(
        !crate::root().join(".local/restore").join(&name).exists(),
        "what was fetched is left lying about"
    );

    // An upload that was killed before its manifest is no backup, and the one before it counts.
    let newest = format!("backups/9{name}/x");
    store.client.put_object().bucket(&store.name).key(newest).send().await.unwrap();
    let (_, third) = beside(&app);
    let said = String::from_utf8(command(&third, &["restore", "latest", &store.name]).stdout).unwrap();
    assert!(said.contains(&format!("9{name} has no manifest")) && said.contains("differences: 0"), "{said}");
    let output = command(&third, &["restore", &format!("{bucket}/backups/9{name}")]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("a backup without its manifest is none"), "{said}");
}

#[tokio::test]
async fn an_unfinished_restore_is_begun_anew_only_when_asked_and_is_never_backed_up() {
    let (app, scratch) = (TestApp::start().await, Scratch::make());
    scene(&app).await;
    let checked = check(&in_a_folder(&app, &scratch).await).unwrap();
    let (target, variables) = beside(&app);
    let store = || target.mongo().unwrap().for_duration(MINUTE);
    let brought = ["users".to_owned(), "not-there-yet".to_owned()];
    store().begin_restore("another backup", &brought).await.unwrap();
    let one = || vec![bson::serialize_to_vec(&doc! {"_id": 1}).unwrap()];
    store().insert_documents("users", one()).await.unwrap();
    assert!(matches!(store().begin_restore("a third", &[]).await, Err(WholeError::BeingRestored)));
    assert!(matches!(store().export().await, Err(WholeError::BeingRestored)));
    let said = format!("{:#}", doctor::check(&target, &Whom::All, |_| {}).await.unwrap_err());
    assert_eq!(said, "nothing can be checked: the database is being restored");

    let before = contents(&database(&variables).await, None).await;
    let said = restore(&target, &checked, false, |_| {}).await.unwrap_err().to_string();
    assert!(said.contains("another backup") && said.contains("FRESH=1"), "{said}");
    assert!(contents(&database(&variables).await, None).await == before);
    // What the restore has not brought is somebody's, and nothing is removed beside it.
    store().insert_documents("of-others", one()).await.unwrap();
    let before = contents(&database(&variables).await, None).await;
    let said = format!("{:#}", restore(&target, &checked, true, |_| {}).await.unwrap_err());
    assert!(said.contains("could not be removed") && said.contains("of-others"), "{said}");
    assert!(contents(&database(&variables).await, None).await == before);
    database(&variables).await.collection::<Document>("of-others").drop().await.unwrap();
    restore(&target, &checked, true, |_| {}).await.unwrap();
    assert!(contents(&database(&variables).await, None).await == contents(&app.database().await, None).await);
    assert_eq!(store().target().await.unwrap(), Target::Filled("accounts".to_owned()));
    // A mark that names no collection, as one of a restore that found somebody's documents beneath it, allows no removal.
    let (marked, variables) = beside(&app);
    let store = || marked.mongo().unwrap().for_duration(MINUTE);
    store().insert_documents("users", one()).await.unwrap();
    let marks = database(&variables).await.collection::<Document>("restoring");
    for mark in [
        doc! {"_id": "restoring", "backup": "b"},
        doc! {"_id": "restoring", "backup": "b", "collections": []},
    ] {
        marks.insert_one(mark).await.unwrap();
        assert!(matches!(store().undo_restore().await, Err(WholeError::NotEmpty(name)) if name == "users"));
        marks.drop().await.unwrap();
    }
    // Asked to begin anew where nothing is unfinished, it touches nothing.
    let said = restore(&target, &checked, true, |_| {}).await.unwrap_err().to_string();
    assert!(said.contains("holds documents already"), "{said}");
}

#[tokio::test]
async fn a_restore_beside_which_somebody_writes_is_not_taken_for_whole() {
    let (app, scratch) = (TestApp::start().await, Scratch::make());
    scene(&app).await;
    let checked = check(&in_a_folder(&app, &scratch).await).unwrap();
    let (target, variables) = beside(&app);
    let theirs = database(&variables).await;
    let writing = async {
        // Earlier it would not have begun.
        let begun = doc! {"collections.0": {"$exists": true}};
        let marks = theirs.collection::<Document>("restoring");
        while marks.find_one(begun.clone()).await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        theirs.collection::<Document>("of-others").insert_one(doc! {"_id": 1}).await.unwrap();
    };
    let (restored, ()) = tokio::join!(restore(&target, &checked, false, |_| {}), writing);
    let said = restored.unwrap_err().to_string();
    assert!(said.contains("of-others holds documents") && said.contains("who else writes"), "{said}");
    let left = target.mongo().unwrap().for_duration(MINUTE).target().await.unwrap();
    assert!(matches!(left, Target::Unfinished(_)), "it is no database to use: {left:?}");
}

#[tokio::test]
async fn what_has_expired_comes_back_into_a_migrated_database_before_its_indexes_do() {
    let (app, scratch) = (TestApp::start().await, Scratch::make());
    scene(&app).await;
    let checked = check(&in_a_folder(&app, &scratch).await).unwrap();
    let (target, variables) = beside(&app);
    let store = || target.mongo().unwrap().for_duration(MINUTE);
    shared::store::indexes::migrate(&target.mongo().unwrap()).await.unwrap();
    let names = ["sessions", "not-there-yet"];
    store().begin_restore("a try", &names.map(str::to_owned)).await.unwrap();
    store().bare_collections(names.map(str::to_owned).to_vec()).await.unwrap();
    for name in names {
        let left = database(&variables).await.collection::<Document>(name).list_index_names().await.unwrap();
        assert_eq!(left, ["_id_"], "{name}");
    }
    restore(&target, &checked, true, |_| {}).await.unwrap();
    let (ours, theirs) = (app.database().await, database(&variables).await);
    assert!(contents(&ours, None).await == contents(&theirs, None).await);
    assert_eq!(indexes(&ours).await, indexes(&theirs).await);
}

#[tokio::test]
async fn who_erased_themselves_after_a_backup_is_erased_again_after_its_restore() {
    let log = capture();
    let app = TestApp::start().await;
    let (user, scratch) = (scene(&app).await, Scratch::make());
    let folder = in_a_folder(&app, &scratch).await;
    app.call(&user, "DELETE", "/auth/me", &[], Some(&json!({"password": tests::PASSWORD}))).await.expect(204);
    // What RUNBOOK looks for, and takes out of the lines: the first is there before anything is done.
    let lines = log.lines();
    let told: Vec<_> =
        lines.iter().filter(|line| line["message"].as_str().unwrap().starts_with("user eras")).collect();
    let events: Vec<_> = told.iter().map(|line| (&line["message"], &line["event"])).collect();
    assert_eq!(
        events,
        [
            (&json!("user erasure begun"), &json!("user_erasure_begun")),
            (&json!("user erased"), &json!("user_erased"))
        ]
    );
    let id = told[1]["user.id"].as_str().unwrap();
    assert!(id == user.id.to_string() && told[0]["user.id"] == told[1]["user.id"]);

    let (_, beside) = beside(&app);
    let restored = command(&beside, &["restore", folder.to_str().unwrap()]);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let erase = |ids: &str| {
        let output = command(&beside, &["erase", ids]);
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    assert!(!erase(&format!("{id} all")).0, "one of them is no id");
    let (ok, out) = erase(&format!("{id} 01936f6e-1111-7abc-8def-0123456789ab"));
    assert!(ok && out.trim().ends_with("users erased: 1, not there: 1"), "{out}");
    let left = contents(&database(&beside).await, None).await;
    let user_bytes = user.id.uuid().into_bytes();
    let theirs = |documents: &&Vec<u8>| documents.windows(16).any(|bytes| bytes == user_bytes);
    for (name, documents) in &left {
        assert_eq!(documents.iter().filter(theirs).count(), 0, "{name} holds something of an erased user");
    }
    assert_eq!((left["users"].len(), left["transactions"].len()), (1, 1), "the other one's");
    let (ok, out) = erase(id);
    assert!(ok && out.trim().ends_with("users erased: 0, not there: 1"), "safe to repeat: {out}");
}

/// Documents that no compression makes smaller.
async fn fill(app: &TestApp, megabytes: usize) {
    let blobs = app.database().await.collection::<Document>("blobs");
    for n in 0..megabytes {
        let mut bytes = vec![0; 1_000_000];
        shared::crypto::fill_random(&mut bytes);
        let bytes = bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes };
        blobs.insert_one(doc! {"_id": i64::try_from(n).unwrap(), "bytes": bytes}).await.unwrap();
    }
}

#[tokio::test]
async fn a_large_collection_goes_in_parts_and_every_file_is_sealed_with_the_key() {
    let (app, store, scratch) = (TestApp::start().await, Store::make().await, Scratch::make());
    fill(&app, 2 * PART_BYTES / 1_000_000 + 2).await;
    backup::work(boot(&app, &store.name), Instant::now() + MINUTE).await.unwrap();
    assert_eq!(store.begun().await, 0);
    let keys = store.keys().await;
    assert!(keys.len() > 20 && keys.iter().any(|key| key.ends_with(FILE)));
    for key in &keys {
        let head = store.client.head_object().bucket(&store.name).key(key).send().await.unwrap();
        assert_eq!(head.server_side_encryption().map(|kind| kind.as_str()), Some("aws:kms"), "{key}");
        assert_eq!(head.ssekms_key_id(), Some(KEY), "{key}");
        let in_parts = head.e_tag().is_some_and(|tag| tag.contains("-3"));
        assert_eq!(in_parts, key.ends_with("blobs.bson.gz"), "{key}: {:?}", head.e_tag());
    }
    let folder = fetch(&store.name, None, scratch.path(), |_| {}).await.unwrap();
    let (target, variables) = beside(&app);
    restore(&target, &check(&folder).unwrap(), false, |_| {}).await.unwrap();
    assert!(contents(&database(&variables).await, None).await == contents(&app.database().await, None).await);
}

#[tokio::test]
async fn without_a_key_the_bucket_decides_how_a_backup_is_sealed() {
    let (app, store) = (TestApp::start().await, Store::make().await);
    fill(&app, PART_BYTES / 1_000_000 + 2).await;
    let place = Place::Bucket(backup::bucket::Bucket::open(&store.name, None).await);
    let until = Instant::now() + MINUTE;
    back_up(&boot(&app, "none"), &place, until, std::future::pending()).await.unwrap();
    for key in store.keys().await {
        let head = store.client.head_object().bucket(&store.name).key(&key).send().await.unwrap();
        assert_ne!(head.server_side_encryption().map(|kind| kind.as_str()), Some("aws:kms"), "{key}");
    }
}

#[tokio::test]
async fn a_backup_that_is_stopped_midway_takes_back_the_file_that_it_is_at() {
    let (app, store, scratch) = (TestApp::start().await, Store::make().await, Scratch::make());
    fill(&app, 2 * PART_BYTES / 1_000_000 + 2).await;
    let until = || Instant::now() + MINUTE;
    let bucket = Place::Bucket(backup::bucket::Bucket::open(&store.name, None).await);
    let begun = async {
        while store.begun().await == 0 {
            tokio::task::yield_now().await;
        }
    };
    let stopped = Box::pin(back_up(&boot(&app, "none"), &bucket, until(), begun)).await;
    assert!(matches!(stopped, Err(BackupError::Stopped)), "{stopped:?}");
    assert_eq!(store.begun().await, 0);
    assert!(!store.keys().await.iter().any(|key| key.ends_with(FILE)));

    let folder = Place::Folder(Folder::new(scratch.path()));
    let is_begun =
        || files(scratch.path()).iter().any(|file| file.extension().is_some_and(|of| of == "part"));
    let begun = async {
        while !is_begun() {
            tokio::task::yield_now().await;
        }
    };
    let stopped = back_up(&boot(&app, "none"), &folder, until(), begun).await;
    assert!(matches!(stopped, Err(BackupError::Stopped)), "{stopped:?}");
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "half a backup of users' data");
}

#[tokio::test]
async fn what_is_given_up_is_taken_back_and_has_no_manifest() {
    let log = capture();
    let (app, store) = (TestApp::start().await, Store::make().await);
    let place = Place::Bucket(backup::bucket::Bucket::open(&store.name, Some(KEY)).await);
    let mut writer = Writer::new(&place, "given-up");
    writer.begin("fintrack/users.bson.gz").unwrap();
    writer.part(vec![7; PART_BYTES]).await.unwrap();
    writer.part(vec![8; PART_BYTES]).await.unwrap();
    assert_eq!(store.begun().await, 1);
    writer.abandon().await;
    assert_eq!((store.begun().await, store.keys().await), (0, Vec::new()));
    // Given up before S3 has told the upload's id: it is waited for, and then taken back.
    let mut writer = Writer::new(&place, "given-up-early");
    writer.begin("fintrack/users.bson.gz").unwrap();
    assert!(writer.part(vec![7; PART_BYTES]).now_or_never().is_none());
    while store.begun().await == 0 {
        tokio::task::yield_now().await;
    }
    writer.abandon().await;
    assert_eq!((store.begun().await, store.keys().await), (0, Vec::new()));

    // Lambda's time-out is nearer than the margin: there is no time to begin.
    backup::work(boot(&app, &store.name), Instant::now() + Duration::from_secs(5)).await.unwrap_err();
    assert!(!store.keys().await.iter().any(|key| key.ends_with(FILE)));
    let lines = log.messages("backup failed");
    assert_eq!((lines.len(), &lines[0]["cause"]), (1, &json!("the time is over")));
    assert_eq!((log.metric(Metric::BackupCompleted), log.metric(Metric::BackupFailed)), (0, 1));
}

#[tokio::test]
async fn a_bucket_that_is_not_there_fails_the_backup_with_a_line_and_a_metric() {
    let log = capture();
    let app = TestApp::start().await;
    backup::work(boot(&app, "no-such-bucket-of-the-tests"), Instant::now() + MINUTE).await.unwrap_err();
    let lines = log.messages("backup failed");
    assert_eq!((lines.len(), &lines[0]["level"]), (1, &json!("ERROR")));
    assert_eq!(lines[0]["cause"], "the backup could not be written: S3 did not take a file: NoSuchBucket");
    assert_eq!((log.metric(Metric::BackupCompleted), log.metric(Metric::BackupFailed)), (0, 1));
}

/// The binary's environment.
fn variables(app: &TestApp, bucket: &str) -> HashMap<String, String> {
    let aws = shared::config::environment().into_iter().filter(|(name, _)| name.starts_with("AWS_"));
    let mut variables: HashMap<String, String> = aws.collect();
    let database =
        ["MONGODB_URI", "MONGODB_DATABASE"].map(|name| (name.to_owned(), app.variables()[name].clone()));
    variables.extend(database);
    variables.insert("APP_ENV".to_owned(), "test".to_owned());
    variables.insert("BACKUP_BUCKET".to_owned(), bucket.to_owned());
    variables
}

#[tokio::test]
async fn the_binary_backs_up_on_each_event_of_the_schedule_and_ends_in_order() {
    let (app, store) = (TestApp::start().await, Store::make().await);
    scene(&app).await;
    let event = std::fs::read_to_string(crate::root().join("events/backup.schedule.json")).unwrap();
    let mut running = Running::start_within("backup", &variables(&app, &store.name), MINUTE).await;
    running.api.until_next(PATIENCE).await.unwrap();
    // The second reads its configuration anew.
    for _ in 0..2 {
        running.api.send(&event);
        assert_eq!(running.api.until_answer(PATIENCE).await.unwrap().1, Value::Null);
    }
    running.api.until_next(PATIENCE).await.unwrap();
    let manifests = store.keys().await.into_iter().filter(|key| key.ends_with(FILE)).count();
    assert_eq!(manifests, 2, "each in a folder of its own");
    let (status, log, took) = running.terminate().await;
    assert_eq!(status, Some(0), "{log}");
    assert!(took < Duration::from_millis(500), "{} ms", took.as_millis());
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said = |message: &str| lines.iter().filter(|line| line["message"] == message).collect::<Vec<_>>();
    let completed = said("backup completed");
    assert_eq!(completed.len(), 2, "{log}");
    assert!(
        completed.iter().all(|line| line["service"] == "backup" && line["function_request_id"].is_string())
    );
    assert_eq!(
        lines.iter().filter(|line| line["BackupCompleted"] == 1 && line["Function"] == "backup").count(),
        2
    );
    let steps: Vec<_> = said("shutdown").iter().map(|line| line["step"].clone()).collect();
    assert_eq!(steps, [json!("closing"), json!("mongodb"), json!("closed")]);
}

#[tokio::test]
async fn the_binary_fails_the_invocation_of_a_backup_that_failed_and_lives_on() {
    let app = TestApp::start().await;
    let mut variables = variables(&app, "no-such-bucket-of-the-tests");
    let sentry = Receiver::start(Answers::With(StatusCode::OK)).await;
    variables.insert("SENTRY_DSN".to_owned(), sentry.dsn());
    let mut running = Running::start_within("backup", &variables, MINUTE).await;
    running.api.until_next(PATIENCE).await.unwrap();
    running.api.send("{}");
    let report = loop {
        match running.api.next(PATIENCE).await.unwrap().act {
            Act::Failed(report) => break String::from_utf8(report.to_vec()).unwrap(),
            Act::Answered(answer) => panic!("it says that it did: {answer:?}"),
            Act::Registered | Act::Next => {}
        }
    };
    assert!(report.contains("JobFailed") && !report.contains("bucket"), "{report}");
    let told = sentry.sent();
    let text = String::from_utf8(told[0].body.to_vec()).unwrap();
    assert!(told.len() == 1 && text.contains("job_failed at backup"), "out before Lambda is told: {text}");
    assert!(!text.contains("Bucket") && !text.contains("bucket"), "{text}");
    running.api.until_next(PATIENCE).await.unwrap();
    let (status, log, _) = running.terminate().await;
    assert_eq!(status, Some(0), "{log}");
    assert!(log.contains("\"backup failed\"") && log.contains("NoSuchBucket"), "{log}");
    assert!(log.contains("\"BackupFailed\":1"), "{log}");
}
