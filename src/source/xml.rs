//! XML as GDAL itself reads it: what one parser lets pass, another one must not find in it.

use std::ffi::{CStr, CString};
use std::ptr::NonNull;

use gdal_sys::{CPLDestroyXMLNode, CPLParseXMLString, CPLXMLNode, CPLXMLNodeType};

/// Deepest nesting that is looked at.
const DEPTH: usize = 16;

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// The name of an element or attribute, or a text.
    pub(super) value: String,
    pub(super) children: Vec<Node>,
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Element,
    Attribute,
    Text,
}

impl Node {
    /// All nodes at the top; `None` if it is no XML, or nested too deeply.
    pub(super) fn parse(text: &str) -> Option<Vec<Self>> {
        let text = CString::new(text).ok()?;
        // SAFETY: the text ends in a zero, and is not kept.
        let root = NonNull::new(unsafe { CPLParseXMLString(text.as_ptr()) })?;
        // SAFETY: the tree is GDAL's, complete, and nobody else has it.
        let nodes = unsafe { copy(root.as_ptr(), DEPTH) };
        // SAFETY: it was made by the parser, and is not used any more.
        unsafe { CPLDestroyXMLNode(root.as_ptr()) };
        nodes
    }

    /// The value of an attribute, or the text of an element: whatever is in it first.
    pub(super) fn text(&self) -> &str {
        self.children.iter().find(|child| child.kind == Kind::Text).map_or("", |child| &child.value)
    }

    /// The attribute of this name.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let is_it = |child: &&Self| child.kind == Kind::Attribute && child.value == name;
        self.children.iter().find(is_it).map(Self::text)
    }
}

/// A node, those after it, and all within them.
///
/// # Safety
/// `node` is null or a node of a tree that lives and does not change.
unsafe fn copy(mut node: *const CPLXMLNode, depth: usize) -> Option<Vec<Node>> {
    let mut nodes = Vec::new();
    while let Some(current) = NonNull::new(node.cast_mut()) {
        let depth = depth.checked_sub(1)?;
        // SAFETY: it is a node of the tree.
        let CPLXMLNode { eType: kind, pszValue: value, psNext: next, psChild: child } = *unsafe { current.as_ref() };
        let kind = match kind {
            CPLXMLNodeType::CXT_Element => Some(Kind::Element),
            CPLXMLNodeType::CXT_Attribute => Some(Kind::Attribute),
            CPLXMLNodeType::CXT_Text => Some(Kind::Text),
            _ => None,
        };
        if let Some(kind) = kind {
            // SAFETY: a node's value is a text that ends in a zero.
            let value = unsafe { CStr::from_ptr(value) }.to_string_lossy().into_owned();
            // SAFETY: its children are nodes of the same tree.
            nodes.push(Node { kind, value, children: unsafe { copy(child, depth) }? });
        }
        node = next;
    }
    Some(nodes)
}
