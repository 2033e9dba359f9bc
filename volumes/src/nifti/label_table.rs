//! Class names and colours in a header.

use std::fmt::Write as _;

use super::Extension;
use crate::LabelClass;

/// `NIFTI_ECODE_IGNORE`. The XML is Connectome Workbench's, but nibabel refuses to give out extensions with Workbench's code of 30, and
/// `TotalSegmentator` writes and looks for it with this one.
const CODE: i32 = 0;

/// The classes as a header extension: Workbench's `CaretExtension` with a `LabelTable`, as
/// `TotalSegmentator` writes and reads it. Colours are shares of 1; a class without one is grey, and label 0 is transparent.
pub(crate) fn label_table(classes: &[LabelClass]) -> Extension {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CaretExtension>\n<VolumeInformation Index=\"0\">\n<LabelTable>\n",
    );
    for LabelClass { value, name, colour } in classes {
        let [red, green, blue] = colour.unwrap_or([128; 3]).map(|part| f64::from(part) / 255.0);
        let alpha = u8::from(*value != 0);
        // Writing to a string cannot fail. `]]>` would end the section: it goes into two.
        let _ = writeln!(
            xml,
            "<Label Key=\"{value}\" Red=\"{red}\" Green=\"{green}\" Blue=\"{blue}\" Alpha=\"{alpha}\"><![CDATA[{}]]></Label>",
            name.replace("]]>", "]]]]><![CDATA[>")
        );
    }
    xml.push_str("</LabelTable>\n<VolumeType><![CDATA[Label]]></VolumeType>\n</VolumeInformation>\n</CaretExtension>\n");
    Extension { code: CODE, content: xml.into_bytes() }
}

/// Whether an extension is the label table of other labels.
pub(crate) fn is_label_table(extension: &Extension) -> bool {
    let start = &extension.content[..extension.content.len().min(512)];
    start.windows(14).any(|part| part == b"CaretExtension")
}
