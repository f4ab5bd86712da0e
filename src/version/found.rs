//! The version that the manifests themselves tell.

use super::{CalicoVersion, numbers};
use crate::diagnostic::{Diagnostic, Location, Severity, Spanned};
use crate::model::Resources;

/// Who said which version it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// whoever asked
    Asked,
    /// the image of the DaemonSet `calico-node`
    Image(Location),
    /// the ClusterInformation `default`
    ClusterInformation(Location),
    /// nobody: the newest is assumed
    Nobody,
}

/// The version, who said so, and what there is to say about that.
#[derive(Debug)]
pub struct Found {
    /// the version
    pub version: CalicoVersion,
    /// who said so
    pub told: Told,
    /// about contradictions, and versions that are not known
    pub diagnostics: Vec<Diagnostic>,
}

impl Told {
    /// How it is known, in a few words; "" where it was asked for.
    fn words(self) -> &'static str {
        match self {
            Told::Asked => "",
            Told::Image(_) => "by the image of calico-node",
            Told::ClusterInformation(_) => "by ClusterInformation",
            Told::Nobody => "assumed",
        }
    }
}

impl Found {
    /// `under Calico v3.31 (by the image of calico-node)`, for reports.
    pub fn phrase(&self) -> String {
        match self.told.words() {
            "" => format!("under Calico {}", self.version),
            words => format!("under Calico {} ({words})", self.version),
        }
    }
}

/// Looks for the version in what a cluster stores: the image that calico-node runs from, else what it
/// wrote into ClusterInformation when it last started.
pub fn found(resources: &Resources) -> Found {
    let image = resources.calico_node.as_ref().and_then(|node| {
        let tag = of_image(&node.image.value)?;
        Some((tag, node.image.at, "the image of calico-node"))
    });
    let information = resources.cluster_informations.iter().find(|i| &*i.meta.name == "default");
    let information = information.and_then(|information| {
        let Spanned { value, at } = &information.calico_version;
        numbers(value).is_some().then_some((&**value, *at, "ClusterInformation"))
    });
    let mut diagnostics = Vec::new();
    let mut read = |(text, at, by): (&str, Location, &str)| {
        let version = CalicoVersion::nearest(text)?;
        if let Err(reason) = CalicoVersion::parse(text) {
            let message = format!("{by} says `{text}`, and {reason}; taken are those of {version}");
            diagnostics.push(
                Diagnostic::new("unknown-calico-version", Severity::Warning, Some(at), message)
                    .help("say with `--calico-version` which version's rules to take"),
            );
        }
        Some((version, at))
    };
    let (by_image, by_information) = (image.and_then(&mut read), information.and_then(&mut read));
    if let (Some((image, at)), Some((information, also))) = (by_image, by_information)
        && image != information
    {
        let message = format!(
            "calico-node runs from an image of {image}, and ClusterInformation says {information}: taken is {image}"
        );
        diagnostics.push(
            Diagnostic::new("calico-versions-differ", Severity::Warning, Some(at), message)
                .related(also, "the other version")
                .help("say with `--calico-version` which version the node runs"),
        );
    }
    match (by_image, by_information) {
        (Some((version, at)), _) => Found { version, told: Told::Image(at), diagnostics },
        (None, Some((version, at))) => Found { version, told: Told::ClusterInformation(at), diagnostics },
        (None, None) => Found { version: CalicoVersion::LATEST, told: Told::Nobody, diagnostics },
    }
}

/// The version in the name of an image of calico-node: `quay.io/calico/node:v3.31.7`, and copies of it under
/// names such as `mirrored-calico-node`. Images of other editions have versions of their own.
pub fn of_image(image: &str) -> Option<&str> {
    let image = image.split_once('@').map_or(image, |(image, _digest)| image);
    let (path, tag) = image.rsplit_once(':')?;
    let name = path.rsplit('/').next().unwrap_or(path);
    (name == "node" || name.ends_with("calico-node")).then_some(tag).filter(|tag| numbers(tag).is_some())
}

#[cfg(test)]
mod tests {
    use super::of_image;

    #[test]
    fn images_tell_their_version() {
        for image in [
            "quay.io/calico/node:v3.31.7",
            "localhost:5000/calico/node:v3.31.7@sha256:00ff",
            "rancher/mirrored-calico-node:v3.31.7",
            "calico-node:v3.31.7",
        ] {
            assert_eq!(of_image(image), Some("v3.31.7"), "{image}");
        }
        for image in
            ["", "calico/node", "calico/node:latest", "tigera/cnx-node:v3.21.0", "calico/cni:v3.31.7"]
        {
            assert_eq!(of_image(image), None, "{image}");
        }
    }
}
