//! Every field that a manifest knows: what the reader accepts and what the schema says, in one place.

use Holds::{
    Boolean, Config, Count, Duration, Either, Json, List, Map, Number, OneOf, Replicas, SectionOr,
    Size, Text, TextMap,
};

/// A map of known fields.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) fields: &'static [Field],
    pub(super) required: &'static [&'static str],
    /// Exactly one of these must be there.
    pub(super) one_of: &'static [&'static str],
}

/// One field of a [`Section`].
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) holds: Holds,
    /// For people, as editors show it.
    pub(super) about: &'static str,
}

/// What a field holds.
#[derive(Debug)]
pub(super) enum Holds {
    Text,
    OneOf(&'static [&'static str]),
    Boolean,
    /// A whole number.
    Number,
    /// A whole number, at least 1.
    Count,
    /// [`Holds::Count`] or `every`.
    Replicas,
    /// A number and a unit of bytes.
    Size,
    /// A number and a unit of time.
    Duration,
    /// Text by name; a list is joined by commas.
    TextMap,
    /// As [`Holds::TextMap`]; a value may also name a secret.
    Config,
    /// Anything.
    Json,
    List(&'static Holds),
    /// The same by names of any kind.
    Map(&'static Holds),
    Either(&'static Holds, &'static Holds),
    /// A map of known fields; where a short form is given, that will do, too.
    SectionOr(&'static Section, Option<&'static Holds>),
}

const fn field(name: &'static str, holds: Holds, about: &'static str) -> Field {
    Field { name, holds, about }
}

const fn section(fields: &'static [Field], required: &'static [&'static str]) -> Section {
    Section { fields, required, one_of: &[] }
}

pub(super) static MANIFEST: Section = section(
    &[
        field("application", Text, "Its name: 1 to 63 of a-z, 0-9 and inner hyphens."),
        field("team", Text, "Who owns it; the first part of every id. Default: default."),
        field("version", Text, "For people; shown, never compared."),
        field(
            "components",
            Map(&SectionOr(&COMPONENT, Some(&Text))),
            "WebAssembly components by name: a file, or a map.",
        ),
        field(
            "providers",
            Map(&SectionOr(&PROVIDER, Some(&Text))),
            "Native code by name: a builtin, or a map.",
        ),
        field(
            "links",
            Map(&Map(&SectionOr(&LINK, Some(&LINK_SHORT)))),
            "Who serves whose imports: source, then interface or package, then target.",
        ),
        field("routes", Map(&TARGETS), "Which HTTP requests go to which component: [HOST]/PATH."),
        field(
            "exports",
            Map(&SectionOr(&EXPORT, None)),
            "What other teams may link to, by name: TEAM/APPLICATION/NAME.",
        ),
        field(
            "schedules",
            Map(&SectionOr(&SCHEDULE, None)),
            "When components are called, by name.",
        ),
    ],
    &["application"],
);

pub(super) static COMPONENT: Section = section(
    &[
        field(
            "image",
            Text,
            "A component file, relative to the manifest; oci://HOST/REPOSITORY:TAG; or https://.",
        ),
        field("digest", Text, "sha256: and 64 hexadecimal digits: the file must be this one."),
        field(
            "replicas",
            Either(&Replicas, &SectionOr(&SCALING, None)),
            "On how many hosts it runs: a number, every, or a map that scales it. Default: 1.",
        ),
        field("placement", SectionOr(&PLACEMENT, None), "On which hosts it runs."),
        field("singleton", Boolean, "Whether it runs on one host at most, fenced. Default: false."),
        field("rollout", SectionOr(&ROLLOUT, None), "How a new version replaces this one."),
        field(
            "ready",
            SectionOr(&READY, Some(&Text)),
            "What its host asks to find out whether it is ready for calls: a path, or a map.",
        ),
        field("limits", SectionOr(&LIMITS, None), "What one instance may use."),
        field("warm", Number, "Instances kept between calls. Default 0: a fresh one a call."),
        field(
            "idle",
            Duration,
            "How long a kept instance may wait for its next call. Default: 5m.",
        ),
        field("config", TextMap, "Read by the component through wasi:config."),
        field(
            "secrets",
            Either(&List(&Text), &TextMap),
            "Secrets of the team that it may reveal: a list, or a map from its own names.",
        ),
        field("grants", SectionOr(&GRANTS, None), "What it may touch besides its links."),
    ],
    &["image"],
);

pub(super) static PROVIDER: Section = Section {
    fields: &[
        field("builtin", Text, "An implementation inside wicker, run inside the host."),
        field("process", Text, "The same, in a process of its own that the host launches."),
        field("command", List(&Text), "A program and its arguments, launched by the host."),
        field("external", Boolean, "Somebody else starts it; it registers by itself."),
        field(
            "sharing",
            OneOf(&["replicable", "exclusive"]),
            "Whether several processes may run it. Builtins know. Default: replicable.",
        ),
        field("config", Json, "Typed by the implementation. A value may be { secret: NAME }."),
        field("replicas", Replicas, "On how many hosts it runs, or every. Default: 1."),
        field("placement", SectionOr(&PLACEMENT, None), "On which hosts it runs."),
        field("singleton", Boolean, "Whether it runs on one host at most, fenced. Default: false."),
        field("rollout", SectionOr(&ROLLOUT, None), "How a new version replaces this one."),
    ],
    required: &[],
    one_of: &["builtin", "process", "command", "external"],
};

pub(super) static SCALING: Section = section(
    &[
        field("min", Count, "On how many hosts at least. Default: 1."),
        field("max", Count, "On how many hosts at most."),
        field("concurrency", Count, "Calls at once that one replica is meant for."),
        field("after", Duration, "How long it is less busy before it runs on fewer. Default: 1m."),
    ],
    &["max", "concurrency"],
);

pub(super) static PLACEMENT: Section = section(
    &[
        field("labels", TextMap, "Labels that a host must carry."),
        field("prefer", TextMap, "Labels that a host should carry."),
        field("spread", Text, "The label over whose values replicas are spread evenly."),
        field(
            "near",
            List(&SectionOr(&NEIGHBOUR, Some(&Text))),
            "Objects on whose hosts it runs: names, or maps for wishes.",
        ),
        field(
            "apart",
            List(&SectionOr(&NEIGHBOUR, Some(&Text))),
            "Objects on whose hosts it does not run: names, or maps for wishes.",
        ),
    ],
    &[],
);

pub(super) static NEIGHBOUR: Section = section(
    &[
        field("to", Text, "The other object."),
        field("required", Boolean, "Whether it must; false makes it a wish. Default: true."),
    ],
    &["to"],
);

pub(super) static ROLLOUT: Section = section(
    &[
        field("at-once", Count, "Hosts that change at once. Default: 1."),
        field(
            "rollback",
            Boolean,
            "Whether the application goes back when a version cannot be started. Default: true.",
        ),
    ],
    &[],
);

pub(super) static READY: Section = Section {
    fields: &[
        field("path", Text, "GET this path; any 2xx is good."),
        field("function", Text, "Call this export, which takes nothing: INTERFACE.FUNCTION."),
        field("interval", Duration, "From one question to the next. Default: 1s."),
        field("timeout", Duration, "How long an answer may take. Default: 1s."),
        field("failures", Count, "Bad answers in a row that are too many. Default: 3."),
    ],
    required: &[],
    one_of: &["path", "function"],
};

pub(super) static SHARE: Section = section(
    &[
        field("target", Text, "Who."),
        field("weight", Number, "Its share of the calls: this of the sum of all weights."),
    ],
    &["target", "weight"],
);

/// One target, or several that share the calls.
const TARGETS: Holds = Holds::Either(&Text, &List(&SectionOr(&SHARE, None)));

pub(super) static LIMITS: Section = section(
    &[
        field("memory", Size, "Linear memory of one instance. Default: 256MiB."),
        field("deadline", Duration, "Longest call. Default: 10s."),
        field("concurrency", Count, "Calls at once on one host. Default: 64."),
        field("queue", Number, "Calls that may wait on one host. Default: 256."),
    ],
    &[],
);

pub(super) static GRANTS: Section = section(
    &[
        field("environment", TextMap, "Environment variables."),
        field("arguments", List(&Text), "Arguments after the program's name."),
        field("files", List(&SectionOr(&FILE, None)), "Directories of the host."),
        field(
            "network",
            List(&Text),
            "What it may reach by sockets of its own: tcp://HOST:PORT, udp://HOST:PORT.",
        ),
    ],
    &[],
);

pub(super) static FILE: Section = section(
    &[
        field("host", Text, "Absolute path on the host."),
        field("guest", Text, "Absolute path that the component sees."),
        field("write", Boolean, "Whether it may write. Default: false."),
    ],
    &["host", "guest"],
);

/// A link's target, or several links of different names.
const LINK_SHORT: Holds = Either(&Text, &List(&SectionOr(&LINK, Some(&Text))));

pub(super) static LINK: Section = section(
    &[
        field(
            "target",
            TARGETS,
            "Who serves it: a name here, a builtin, an id's ending; or several with weights.",
        ),
        field("name", Text, "The link's name. Default: default."),
        field("config", Config, "Typed by the target. A value may be { secret: NAME }."),
        field("timeout", Duration, "Longest call through it. Default: 10s."),
        field("idempotent", List(&Text), "Functions that may be retried: interface.function."),
    ],
    &["target"],
);

pub(super) static SCHEDULE: Section = Section {
    fields: &[
        field("target", Text, "The component that is called: it exports wicker:schedule/handler."),
        field("cron", Text, "Minute, hour, day, month, weekday; or six fields, seconds first."),
        field("every", Duration, "Again and again after so long: a second or more."),
        field("at", Text, "Once, at this RFC 3339 time."),
        field("zone", Text, "The time zone of cron, by its IANA name. Default: UTC."),
        field(
            "missed",
            OneOf(&["skip", "once", "all"]),
            "What becomes of ticks that no host could begin in time. Default: once, the latest.",
        ),
        field(
            "overlap",
            OneOf(&["skip", "wait", "allow"]),
            "What becomes of a tick that is due before the last one is over. Default: skip.",
        ),
        field("attempts", Count, "Deliveries of one tick that may fail. Default: 5."),
        field("backoff", Duration, "The pause after the first failure; it doubles. Default: 1s."),
        field("timeout", Duration, "How long one delivery may take. Default: 10s."),
    ],
    required: &["target"],
    one_of: &["cron", "every", "at"],
};

pub(super) static EXPORT: Section = section(
    &[
        field(
            "target",
            Text,
            "A component or provider of this file. Default: the export's own name.",
        ),
        field("interfaces", TEXT_OR_LIST, "What is offered of it: interfaces or packages."),
        field(
            "to",
            Either(&List(&Text), &Map(&SectionOr(&TERMS, None))),
            "The teams that may link to it: a list, or a map from each to its terms.",
        ),
    ],
    &["interfaces", "to"],
);

const TEXT_OR_LIST: Holds = Either(&Text, &List(&Text));

pub(super) static TERMS: Section = section(
    &[
        field(
            "calls-per-second",
            Count,
            "Calls let in each second on each host. Default: no bound.",
        ),
        field("concurrency", Count, "Calls at once on each host. Default: no bound."),
        field(
            "bytes-per-second",
            Size,
            "Arguments, results and streams each second on each host. Default: no bound.",
        ),
        field("config", TextMap, "Link config for this team; it wins over what a link says."),
    ],
    &[],
);
