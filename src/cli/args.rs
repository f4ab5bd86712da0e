//! What can be typed.

use crate::diagnostic::{Confidence, Severity};
use crate::model::InvalidMode;
use crate::version::CalicoVersion;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Compile Kubernetes and Calico network policy to the rules that Calico's agent would program.
#[derive(Debug, Parser)]
#[command(name = "netpolc", version, about, max_term_width = 100)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What the program does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the iptables rules and ipsets of a node
    Compile(CompileArgs),
    /// Say what would be refused or ignored, and what works otherwise than it reads
    Check(CheckArgs),
    /// Say which policy, selector or pod is behind a chain, ipset, interface or rule hash
    Explain(ExplainArgs),
    /// Compare what a node has with what it should have
    Verify(VerifyArgs),
    /// Say what a node's kernel does with packets
    Trace(TraceArgs),
    /// Write policies with fewer networks, ports and rules that mean the same
    Optimize(OptimizeArgs),
    /// Say what changes for packets, policies and rules between two states of a cluster
    Diff(DiffArgs),
    /// Write or check a folder with the rules of every node, made to be committed and read in review
    Snapshot(SnapshotArgs),
    /// Say which services, node ports and ports of hosts can be reached, from where, and why
    Audit(AuditArgs),
}

/// `netpolc compile`
#[derive(Debug, Args)]
pub struct CompileArgs {
    /// Manifests: files, folders (searched for .yaml, .yml and .json), or - for standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// The node whose rules to print
    #[arg(long, required_unless_present = "all_nodes", conflicts_with = "all_nodes")]
    pub node: Option<String>,

    /// Every node of the cluster, each into a folder of its own below --out
    #[arg(long, requires = "out", conflicts_with = "node_addresses")]
    pub all_nodes: bool,

    /// Of all nodes only a share, so that several machines can do the work: I counts from 0 to N-1, as
    /// JOB_COMPLETION_INDEX of a Kubernetes Job does
    #[arg(long, value_name = "I/N", requires = "all_nodes")]
    pub shard: Option<Shard>,

    /// The node's addresses: what `ip -j addr` prints there
    #[arg(long, value_name = "FILE")]
    pub node_addresses: Option<PathBuf>,

    /// Which part
    #[arg(long, value_enum, default_value = "all")]
    pub emit: Emit,

    /// Whose spelling of rules: what `iptables-save` prints, or what Felix sends to `iptables-restore`
    #[arg(long, value_enum, default_value = "save")]
    pub dialect: DialectArg,

    /// Fewer rules that mean the same: 0 for Felix's own, 1 for fewer that still look like Felix's, 2 for
    /// as few as there can be
    #[arg(short = 'O', value_name = "LEVEL", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    pub optimize: u8,

    /// Write what -O has saved into this file, by table, policy and pass
    #[arg(long, value_name = "FILE", conflicts_with = "all_nodes")]
    pub saved: Option<PathBuf>,

    /// Write into this file what was compared to prove that -O has changed nothing for any packet
    #[arg(long, value_name = "FILE", conflicts_with = "all_nodes")]
    pub proof: Option<PathBuf>,

    /// The version of Calico that runs, such as v3.31 [default: as the image of calico-node or
    /// ClusterInformation in the manifests says, else the newest known]
    #[arg(long, value_name = "VERSION", value_parser = CalicoVersion::parse)]
    pub calico_version: Option<CalicoVersion>,

    /// Text, or one JSON document
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,

    /// Write files into this folder instead of printing, or into one archive, if the name ends in .tar, .tar.gz
    /// or .tgz
    #[arg(long, value_name = "DIR|FILE")]
    pub out: Option<PathBuf>,

    /// Keep rules in this folder, and take them from there where nothing that they depend on has changed
    #[arg(long, value_name = "DIR", requires = "out", conflicts_with_all = ["saved", "proof", "explain_origin", "dump_stage"])]
    pub cache: Option<PathBuf>,

    /// What to do with objects that a cluster would refuse: stop, or leave them out as it would
    #[arg(long, value_enum, default_value = "fail")]
    pub invalid: Invalid,

    /// After each rule, a comment with the manifest line that it comes from
    #[arg(long)]
    pub explain_origin: bool,

    /// Print one stage of the pipeline in a form for developers, instead of rules
    #[arg(long, value_enum, value_name = "STAGE", conflicts_with_all = ["out", "all_nodes"])]
    pub dump_stage: Option<Stage>,

    /// Threads [default: one for each processor]
    #[arg(long, short = 'j', value_name = "N")]
    pub jobs: Option<std::num::NonZero<usize>>,
}

/// A share of all nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// which, from 0
    index: usize,
    /// of how many
    count: usize,
}

impl Shard {
    /// Its nodes: every so manieth, because neighbours by name are often alike.
    pub fn of<'n>(&self, nodes: &[&'n str]) -> Vec<&'n str> {
        nodes.iter().skip(self.index).step_by(self.count).copied().collect()
    }
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers =
            text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match numbers {
            Some((index, count)) if index < count => Ok(Shard { index, count }),
            Some((_, 0)) => Err("there are no shares: the number behind `/` must be at least 1".to_owned()),
            Some((_, count)) => {
                Err(format!("shares count from 0, so the last of {count} is `{}/{count}`", count - 1))
            }
            None => Err("a share is written as `I/N`, such as `0/16` for the first of 16".to_owned()),
        }
    }
}

/// `netpolc check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Manifests: files, folders (searched for .yaml, .yml and .json), or - for standard input
    #[arg(required_unless_present_any = ["list", "explain"], value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Look at the rules of this node only [default: every node of the input]
    #[arg(long)]
    pub node: Option<String>,

    /// The node's addresses: what `ip -j addr` prints there
    #[arg(long, value_name = "FILE", requires = "node")]
    pub node_addresses: Option<PathBuf>,

    /// The version of Calico that runs, such as v3.31 [default: as the image of calico-node or
    /// ClusterInformation in the manifests says, else the newest known]
    #[arg(long, value_name = "VERSION", value_parser = CalicoVersion::parse)]
    pub calico_version: Option<CalicoVersion>,

    /// How to tell what was found
    #[command(flatten)]
    pub report: ReportArgs,

    /// Leave out what is less severe
    #[arg(long, value_enum, value_name = "SEVERITY", default_value = "note")]
    pub min_severity: MinSeverity,

    /// Leave out what is less sure
    #[arg(long, value_enum, value_name = "CONFIDENCE", default_value = "possible")]
    pub min_confidence: MinConfidence,

    /// Print a table of all checks
    #[arg(long, conflicts_with_all = ["paths", "explain"])]
    pub list: bool,

    /// Print what a check is about
    #[arg(long, value_name = "ID", conflicts_with = "paths")]
    pub explain: Option<String>,

    /// Threads [default: one for each processor]
    #[arg(long, short = 'j', value_name = "N")]
    pub jobs: Option<std::num::NonZero<usize>>,
}

/// `netpolc explain`
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A chain, an ipset, an interface, a rule's hash, or a whole rule as iptables-save prints it
    pub name: String,

    /// Manifests: files, folders (searched for .yaml, .yml and .json), or - for standard input.
    /// Without any, only what stands for no object is known
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Look at this node only [default: every node of the input]
    #[arg(long, requires = "paths")]
    pub node: Option<String>,

    /// The version of Calico that runs, such as v3.31 [default: as the image of calico-node or
    /// ClusterInformation in the manifests says, else the newest known]
    #[arg(long, value_name = "VERSION", value_parser = CalicoVersion::parse)]
    pub calico_version: Option<CalicoVersion>,

    /// Text, or one JSON document
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,

    /// Threads that read the input [default: one for each processor]
    #[arg(long, short = 'j', value_name = "N")]
    pub jobs: Option<std::num::NonZero<usize>>,
}

/// `netpolc verify`
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Manifests: files, folders (searched for .yaml, .yml and .json), or - for standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// The node
    #[arg(long)]
    pub node: String,

    /// The node's rules: what `iptables-save` or `ip6tables-save` prints there; give both
    #[arg(long, value_name = "FILE", required_unless_present = "ipsets")]
    pub dump: Vec<PathBuf>,

    /// The node's sets: what `ipset save` prints there
    #[arg(long, value_name = "FILE")]
    pub ipsets: Option<PathBuf>,

    /// The node's addresses: what `ip -j addr` prints there
    #[arg(long, value_name = "FILE")]
    pub node_addresses: Option<PathBuf>,

    /// What to do with objects that a cluster would refuse: stop, or leave them out as it would
    #[arg(long, value_enum, default_value = "fail")]
    pub invalid: Invalid,

    /// The version of Calico that runs, such as v3.31 [default: as the image of calico-node or
    /// ClusterInformation in the manifests says, else the newest known]
    #[arg(long, value_name = "VERSION", value_parser = CalicoVersion::parse)]
    pub calico_version: Option<CalicoVersion>,

    /// How to tell what was found
    #[command(flatten)]
    pub report: ReportArgs,

    /// Threads that read the input [default: one for each processor]
    #[arg(long, short = 'j', value_name = "N")]
    pub jobs: Option<std::num::NonZero<usize>>,
}

/// How a command tells what it has found.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The form: for a terminal, for programs, for code scanning, for a comment on a pull request, for the log
    /// of a GitHub Action, for test reports, or one page for a browser
    #[arg(long, value_enum, default_value = "text")]
    pub format: ReportFormat,

    /// Write it into this file instead of printing it
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Findings that are known already: a file that --write-baseline has written
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,

    /// Write the findings into this file, and take them for known
    #[arg(long, value_name = "FILE", conflicts_with = "baseline")]
    pub write_baseline: Option<PathBuf>,

    /// Exit with 1 only for findings that are not in the baseline
    #[arg(long, requires = "baseline")]
    pub fail_on_new: bool,
}

impl ReportArgs {
    /// Whether findings of the baseline do not count; those of one that is written are in it.
    pub fn only_new(&self) -> bool {
        self.fail_on_new || self.write_baseline.is_some()
    }
}

/// Forms of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum ReportFormat {
    Text,
    Json,
    Sarif,
    Markdown,
    Github,
    Junit,
    Html,
}

/// `netpolc trace`
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// Manifests: files, folders (searched for .yaml, .yml and .json), or - for standard input
    #[arg(required_unless_present = "dump", value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// The node
    #[arg(long, required_unless_present = "dump")]
    pub node: Option<String>,

    /// Walk through the rules that were saved on the node instead of those that it should have: what
    /// `iptables-save` printed there, and `ip6tables-save`; may be given for each. Needs no manifests
    #[arg(long, value_name = "FILE")]
    pub dump: Vec<PathBuf>,

    /// The sets of that node: what `ipset save` printed there
    #[arg(long, value_name = "FILE", requires = "dump")]
    pub ipsets: Option<PathBuf>,

    /// The node's addresses: what `ip -j addr` prints there
    #[arg(long, value_name = "FILE")]
    pub node_addresses: Option<PathBuf>,

    /// The node's routes: what `ip -j route` or `ip -j -6 route` prints there; give both
    #[arg(long, value_name = "FILE")]
    pub node_routes: Vec<PathBuf>,

    /// Where packets come from: internet, pod:NAMESPACE/NAME, node:NAME, interface:NAME, an address or a CIDR
    #[arg(long, value_name = "END", requires = "to")]
    pub from: Option<String>,

    /// Where they go: the same, or service:NAMESPACE/NAME
    #[arg(long, value_name = "END", requires = "from")]
    pub to: Option<String>,

    /// Their protocol: tcp, udp, sctp, icmp, … or a number [default: tcp where there is a port, else any]
    #[arg(long, value_name = "PROTOCOL", requires = "from")]
    pub proto: Option<String>,

    /// Their destination port; may be given several times [default: those of the service, else any]
    #[arg(long, value_name = "PORT", requires = "from")]
    pub port: Vec<u16>,

    /// Instead of two ends: packets, one a line, to be printed with their outcomes
    #[arg(long, value_name = "FILE", required_unless_present = "from", conflicts_with = "from")]
    pub packets: Option<PathBuf>,

    /// The version of Calico that runs, such as v3.31 [default: as the image of calico-node or
    /// ClusterInformation in the manifests says, else the newest known]
    #[arg(long, value_name = "VERSION", value_parser = CalicoVersion::parse)]
    pub calico_version: Option<CalicoVersion>,

    /// Text, or one JSON document
    #[arg(long, value_enum, default_value = "text", conflicts_with = "packets")]
    pub format: Format,

    /// What to do with objects that a cluster would refuse: stop, or leave them out as it would
    #[arg(long, value_enum, default_value = "fail")]
    pub invalid: Invalid,

    /// Threads that read the input [default: one for each processor]
    #[arg(long, short = 'j', value_name = "N")]
    pub jobs: Option<std::num::NonZero<usize>>,
}

/// `netpolc audit`
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Manifests: files, folders (searched for .yaml, .yml and .json), or - for standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Only packets that come to this node first [default: to any node]
    #[arg(long)]
    pub node: Option<String>,

    /// Only this service, or this pod with ports of its host; with every hop and rule
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub of: Option<String>,

    /// Zones by name, and what must hold: a TOML file
    #[arg(long, value_name = "FILE")]
    pub zones: Option<PathBuf>,

    /// Addresses of a node: what `ip -j addr` prints there; may be given for each node, and without
    /// NODE= for the one that --node names
    #[arg(long, value_name = "NODE=FILE")]
    pub node_addresses: Vec<String>,

    /// Routes of a node: what `ip -j route` or `ip -j -6 route` prints there; give both
    #[arg(long, value_name = "NODE=FILE")]
    pub node_routes: Vec<String>,

    /// Tell every way with its hops and rules
    #[arg(long)]
    pub details: bool,

    /// What to do with objects that a cluster would refuse: stop, or leave them out as it would
    #[arg(long, value_enum, default_value = "fail")]
    pub invalid: Invalid,

    /// The version of Calico that runs, such as v3.31 [default: as the image of calico-node or
    /// ClusterInformation in the manifests says, else the newest known]
    #[arg(long, value_name = "VERSION", value_parser = CalicoVersion::parse)]
    pub calico_version: Option<CalicoVersion>,

    /// How to tell what was found
    #[command(flatten)]
    pub report: ReportArgs,

    /// Threads [default: one for each processor]
    #[arg(long, short = 'j', value_name = "N")]
    pub jobs: Option<std::num::NonZero<usize>>,
}

/// `netpolc optimize`
#[derive(Debug, Args)]
pub struct OptimizeArgs {
    /// Manifests: files, folders (searched for .yaml, .yml and .json), or - for standard input, whose new
    /// text is printed. Files are changed in place
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Write nothing; print what could go, one line each, and exit with 1 if anything could
    #[arg(long, conflicts_with = "patch")]
    pub check: bool,

    /// Write nothing; print the changes as a unified diff
    #[arg(long)]
    pub patch: bool,

    /// Compare the rules of this node only [default: every node of the input]
    #[arg(long)]
    pub node: Option<String>,

    /// The version of Calico that runs, such as v3.31 [default: as the image of calico-node or
    /// ClusterInformation in the manifests says, else the newest known]
    #[arg(long, value_name = "VERSION", value_parser = CalicoVersion::parse)]
    pub calico_version: Option<CalicoVersion>,

    /// Write into this file what was compared to prove that nothing has changed for any packet
    #[arg(long, value_name = "FILE")]
    pub proof: Option<PathBuf>,

    /// The form in which to tell what can go, or went
    #[arg(long, value_enum, default_value = "text", conflicts_with = "patch")]
    pub format: ReportFormat,

    /// What to do with objects that a cluster would refuse: stop, or leave them out as it would
    #[arg(long, value_enum, default_value = "fail")]
    pub invalid: Invalid,

    /// Threads that read the input [default: one for each processor]
    #[arg(long, short = 'j', value_name = "N")]
    pub jobs: Option<std::num::NonZero<usize>>,
}

/// `netpolc diff`
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Manifests as they were: a file, a folder, - for standard input, or REV:PATH of a git repository
    #[arg(value_name = "OLD")]
    pub old: PathBuf,

    /// Manifests as they are to be: the same; left out, those of OLD under another version of Calico
    #[arg(value_name = "NEW", required_unless_present = "calico_version")]
    pub new: Option<PathBuf>,

    /// The versions of Calico before and after an upgrade, such as v3.31..v3.32 [default: what each
    /// of the two says of itself]
    #[arg(long, value_name = "OLD..NEW", value_parser = CalicoVersion::parse_two)]
    pub calico_version: Option<(CalicoVersion, CalicoVersion)>,

    /// Look at this node only [default: every node]
    #[arg(long)]
    pub node: Option<String>,

    /// The node's addresses: what `ip -j addr` prints there
    #[arg(long, value_name = "FILE", requires = "node")]
    pub node_addresses: Option<PathBuf>,

    /// Exit with status 1 only for this [default: for any difference]
    #[arg(long, value_enum, value_name = "WHAT", requires_if("new", "baseline"))]
    pub fail_on: Option<FailOn>,

    /// How to tell what changes
    #[command(flatten)]
    pub report: ReportArgs,

    /// What to do with objects that a cluster would refuse: stop, or leave them out as it would
    #[arg(long, value_enum, default_value = "fail")]
    pub invalid: Invalid,

    /// Threads that read the input [default: one for each processor]
    #[arg(long, short = 'j', value_name = "N")]
    pub jobs: Option<std::num::NonZero<usize>>,
}

/// `netpolc snapshot`
#[derive(Debug, Args)]
pub struct SnapshotArgs {
    /// Manifests: files, folders (searched for .yaml, .yml and .json), or - for standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// The folder; each node has a folder in it
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Change nothing: say what would change, and exit with status 1 if anything would
    #[arg(long)]
    pub check: bool,

    /// The version of Calico [default: as the manifests say, else the newest]
    #[arg(long, value_name = "VERSION", value_parser = CalicoVersion::parse)]
    pub calico_version: Option<CalicoVersion>,

    /// This node only; files of other nodes are left alone [default: every node]
    #[arg(long)]
    pub node: Option<String>,

    /// The node's addresses: what `ip -j addr` prints there
    #[arg(long, value_name = "FILE", requires = "node")]
    pub node_addresses: Option<PathBuf>,

    /// What to do with objects that a cluster would refuse: stop, or leave them out as it would
    #[arg(long, value_enum, default_value = "fail")]
    pub invalid: Invalid,

    /// Threads that read the input [default: one for each processor]
    #[arg(long, short = 'j', value_name = "N")]
    pub jobs: Option<std::num::NonZero<usize>>,
}

/// Differences that a run fails for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// More is let through
    Widened,
    /// Less is let through
    Narrowed,
    /// Anything but formatting differs
    Any,
    /// More or less is let through, and the baseline does not have it
    New,
}

/// Severities, for a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum MinSeverity {
    Note,
    Warning,
    Error,
}

impl From<MinSeverity> for Severity {
    fn from(severity: MinSeverity) -> Self {
        match severity {
            MinSeverity::Note => Severity::Note,
            MinSeverity::Warning => Severity::Warning,
            MinSeverity::Error => Severity::Error,
        }
    }
}

/// Confidences, for a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum MinConfidence {
    Possible,
    Likely,
    Certain,
}

impl From<MinConfidence> for Confidence {
    fn from(confidence: MinConfidence) -> Self {
        match confidence {
            MinConfidence::Possible => Confidence::Possible,
            MinConfidence::Likely => Confidence::Likely,
            MinConfidence::Certain => Confidence::Certain,
        }
    }
}

/// Parts of a node's program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Emit {
    /// IPv4 rules
    Iptables,
    /// IPv6 rules
    Ip6tables,
    /// Sets of both families
    Ipsets,
    /// Everything
    All,
}

/// Spellings of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DialectArg {
    /// What Felix sends to iptables-restore
    Felix,
    /// What iptables-save (legacy) prints
    Save,
}

/// Forms of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum Format {
    Text,
    Json,
}

/// What to do with objects that a cluster would refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Invalid {
    /// Stop, with exit status 2
    Fail,
    /// Leave them out, as a cluster would
    Skip,
}

impl From<Invalid> for InvalidMode {
    fn from(invalid: Invalid) -> Self {
        match invalid {
            Invalid::Fail => InvalidMode::Fail,
            Invalid::Skip => InvalidMode::Skip,
        }
    }
}

/// Stages that can be printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stage {
    /// Typed resources
    Model,
    /// What the node's agent would know
    Resolve,
    /// Rules and sets as data
    Ir,
}
