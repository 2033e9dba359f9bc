//! ONNX files as no exporter writes them, field by field.
//! Source of the numbers of the fields: <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>.
#![allow(unreachable_pub, reason = "each test uses some of it")]

/// A protobuf message that is being written.
#[derive(Clone, Default)]
pub struct Message(pub Vec<u8>);

impl Message {
    pub fn number(mut self, field: u64, value: i64) -> Self {
        self.0.extend(varint(field << 3));
        self.0.extend(varint(value.cast_unsigned()));
        self
    }

    pub fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.0.extend(varint((field << 3) | 2));
        self.0.extend(varint(bytes.len() as u64));
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    pub fn message(self, field: u64, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }
}

/// Seven bits in each byte, the lowest first.
pub fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// Element types by their codes.
#[derive(Clone, Copy)]
pub enum Element {
    F32 = 1,
    I8 = 3,
    I64 = 7,
}

/// An attribute that is an integer.
pub fn int(name: &str, value: i64) -> Message {
    Message::default().text(1, name).number(3, value).number(20, 2)
}

/// An attribute that is a list of integers.
pub fn ints(name: &str, values: &[i64]) -> Message {
    values.iter().fold(Message::default().text(1, name), |attribute, value| attribute.number(8, *value)).number(20, 7)
}

/// A node without a name, of one output.
pub fn node(operator: &str, inputs: &[&str], output: &str, attributes: &[Message]) -> Message {
    let node = inputs.iter().fold(Message::default(), |node, input| node.text(1, input));
    let node = node.text(2, output).text(4, operator);
    attributes.iter().fold(node, |node, attribute| node.message(5, attribute))
}

fn tensor(name: &str, element: Element, dims: &[i64]) -> Message {
    dims.iter().fold(Message::default(), |tensor, length| tensor.number(1, *length)).number(2, element as i64).text(8, name)
}

pub fn constant(name: &str, element: Element, dims: &[i64], values: &[u8]) -> Message {
    tensor(name, element, dims).bytes(9, values)
}

/// A constant whose values are all of a file.
pub fn external(name: &str, element: Element, dims: &[i64], location: &str) -> Message {
    let entry = Message::default().text(1, "location").text(2, location);
    tensor(name, element, dims).message(13, &entry).number(14, 1)
}

/// A model from `x`, whose lengths are free where they are 0, to `y`.
pub fn model(input: &[i64], nodes: impl IntoIterator<Item = Message>, constants: impl IntoIterator<Item = Message>) -> Message {
    let shape = input.iter().fold(Message::default(), |shape, length| shape.message(1, &Message::default().number(1, *length)));
    let tensor = Message::default().number(1, Element::F32 as i64).message(2, &shape);
    let value = |name: &str| Message::default().text(1, name).message(2, &Message::default().message(1, &tensor));
    let graph = nodes.into_iter().fold(Message::default(), |graph, node| graph.message(1, &node));
    let graph = constants.into_iter().fold(graph, |graph, constant| graph.message(5, &constant));
    let graph = graph.text(2, "hostile").message(11, &value("x")).message(12, &value("y"));
    Message::default().number(1, 8).message(7, &graph).message(8, &Message::default().number(2, 17))
}
