//! The stack machine of a pickle.

use std::collections::HashMap;
use std::io::Read;

use super::opcode;
use super::pickle::{Item, Pickle, Value, ValueId};
use crate::flaw::{Flaw, Sound, content};

/// Bytes of the longest pickle: a checkpoint of 10,000 tensors with an optimiser's state has 10 MB.
const MAX_BYTES: u64 = 64 << 20;
/// Instructions of the longest pickle. An instruction makes at most one value and pushes at most one, so this bounds memory and time.
const MAX_STEPS: usize = 4 << 20;

/// Reads a pickle, one instruction after the other.
pub(super) struct Machine<'r, R> {
    input: &'r mut R,
    /// Bytes that may still be read.
    left: u64,
    values: Vec<Value>,
    pub(super) stack: Vec<ValueId>,
    /// Heights of the stack at its marks.
    marks: Vec<usize>,
    memo: HashMap<u64, ValueId>,
}

impl<'r, R: Read> Machine<'r, R> {
    pub(super) fn new(input: &'r mut R) -> Self {
        Self { input, left: MAX_BYTES, values: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() }
    }

    /// Reads up to the instruction that ends the pickle.
    pub(super) fn run(mut self) -> Sound<Pickle> {
        for _ in 0..MAX_STEPS {
            let [code] = self.bytes()?;
            if code == opcode::STOP {
                let root = self.pop()?;
                return Ok(Pickle { values: self.values, root });
            }
            self.step(code)?;
        }
        Err(content(format!("the pickle has more than {MAX_STEPS} instructions")))
    }

    fn step(&mut self, code: u8) -> Sound<()> {
        match code {
            opcode::PROTO => self.bytes().map(|[_version]| ()),
            opcode::FRAME => self.bytes::<8>().map(|_length| ()),
            opcode::MARK
            | opcode::POP
            | opcode::POP_MARK
            | opcode::DUP
            | opcode::BINPUT
            | opcode::LONG_BINPUT
            | opcode::MEMOIZE
            | opcode::BINGET
            | opcode::LONG_BINGET => self.arrange(code),
            opcode::APPEND
            | opcode::APPENDS
            | opcode::ADDITEMS
            | opcode::SETITEM
            | opcode::SETITEMS
            | opcode::DICT
            | opcode::BUILD => self.change(code),
            _ => {
                let value = match code {
                    opcode::GLOBAL | opcode::INST | opcode::STACK_GLOBAL => self.global(code)?,
                    opcode::BINPERSID => self.storage()?,
                    opcode::REDUCE => return self.call(),
                    opcode::NEWOBJ => self.object()?,
                    opcode::EMPTY_TUPLE
                    | opcode::TUPLE
                    | opcode::TUPLE1
                    | opcode::TUPLE2
                    | opcode::TUPLE3
                    | opcode::EMPTY_LIST
                    | opcode::EMPTY_SET
                    | opcode::LIST
                    | opcode::FROZENSET
                    | opcode::EMPTY_DICT => self.container(code)?,
                    _ => self.literal(code)?,
                };
                self.push(value);
                Ok(())
            }
        }
    }

    /// Moves values about: on the stack, and between it and the memo.
    fn arrange(&mut self, code: u8) -> Sound<()> {
        match code {
            opcode::MARK => self.marks.push(self.stack.len()),
            opcode::POP => {
                self.pop()?;
            }
            opcode::POP_MARK => {
                self.pop_to_mark()?;
            }
            opcode::DUP => self.stack.push(self.top()?),
            opcode::BINGET | opcode::LONG_BINGET => {
                let place = self.place(code == opcode::BINGET)?;
                let value =
                    self.memo.get(&place).ok_or_else(|| content(format!("the pickle reads place {place}, which is empty")))?;
                self.stack.push(*value);
            }
            _ => {
                let place = if code == opcode::MEMOIZE { self.memo.len() as u64 } else { self.place(code == opcode::BINPUT)? };
                self.memo.insert(place, self.top()?);
            }
        }
        Ok(())
    }

    /// Changes the list, dictionary or object that the stack has below what is added to it.
    fn change(&mut self, code: u8) -> Sound<()> {
        match code {
            opcode::APPEND => {
                let value = self.pop()?;
                self.extend_list(&[value])
            }
            opcode::APPENDS | opcode::ADDITEMS => {
                let values = self.pop_to_mark()?;
                self.extend_list(&values)
            }
            opcode::SETITEM => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.extend_dict(&[key, value])
            }
            opcode::SETITEMS => {
                let items = self.pop_to_mark()?;
                self.extend_dict(&items)
            }
            opcode::DICT => {
                let items = self.pop_to_mark()?;
                self.push(Value::Dict(Vec::new()));
                self.extend_dict(&items)
            }
            _ => self.build(),
        }
    }

    fn container(&mut self, code: u8) -> Sound<Value> {
        Ok(match code {
            opcode::TUPLE1 => Value::Tuple(self.pop_several(1)?),
            opcode::TUPLE2 => Value::Tuple(self.pop_several(2)?),
            opcode::TUPLE3 => Value::Tuple(self.pop_several(3)?),
            opcode::TUPLE => Value::Tuple(self.pop_to_mark()?),
            opcode::EMPTY_TUPLE => Value::Tuple(Vec::new()),
            opcode::LIST | opcode::FROZENSET => Value::List(self.pop_to_mark()?),
            opcode::EMPTY_DICT => Value::Dict(Vec::new()),
            _ => Value::List(Vec::new()),
        })
    }

    /// A value that stands in the pickle itself.
    fn literal(&mut self, code: u8) -> Sound<Value> {
        Ok(match code {
            opcode::NONE => Value::Inert,
            opcode::NEWTRUE => Value::Bool(true),
            opcode::NEWFALSE => Value::Bool(false),
            opcode::BINFLOAT => {
                self.bytes::<8>()?;
                Value::Inert
            }
            opcode::BININT => Value::Int(i32::from_le_bytes(self.bytes()?).into()),
            opcode::BININT1 => Value::Int(u8::from_le_bytes(self.bytes()?).into()),
            opcode::BININT2 => Value::Int(u16::from_le_bytes(self.bytes()?).into()),
            opcode::LONG1 | opcode::LONG4 => self.long(code)?,
            opcode::SHORT_BINSTRING | opcode::BINSTRING | opcode::SHORT_BINUNICODE | opcode::BINUNICODE | opcode::BINUNICODE8 => {
                let length = self.length(code)?;
                String::from_utf8(self.take(length)?).map_or_else(|error| Value::Bytes(error.into_bytes()), Value::Text)
            }
            opcode::SHORT_BINBYTES | opcode::BINBYTES | opcode::BINBYTES8 | opcode::BYTEARRAY8 => {
                let length = self.length(code)?;
                Value::Bytes(self.take(length)?)
            }
            other => {
                return Err(content(match opcode::name(other) {
                    Some(name) => format!("the pickle has the instruction {name}, which no file of weights needs"),
                    None => format!("the pickle has an instruction {other:#04x}, which there is not"),
                }));
            }
        })
    }

    fn extend_list(&mut self, more: &[ValueId]) -> Sound<()> {
        let top = self.top()?;
        match self.values.get_mut(top.0 as usize) {
            Some(Value::List(list)) => {
                list.extend_from_slice(more);
                Ok(())
            }
            _ => Err(content("the pickle appends to something else than a list")),
        }
    }

    fn extend_dict(&mut self, more: &[ValueId]) -> Sound<()> {
        let top = self.top()?;
        let (pairs, []) = more.as_chunks::<2>() else { return Err(content("the pickle has a key without a value")) };
        match self.values.get_mut(top.0 as usize) {
            Some(Value::Dict(items)) => {
                items.extend(pairs.iter().map(|[key, value]| Item { key: *key, value: *value }));
                Ok(())
            }
            _ => Err(content("the pickle adds entries to something else than a dictionary")),
        }
    }

    fn pop_several(&mut self, count: usize) -> Sound<Vec<ValueId>> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let start = self.stack.len().checked_sub(count).filter(|start| *start >= floor).ok_or_else(underflow)?;
        Ok(self.stack.split_off(start))
    }

    /// Integers of any length; those beyond 64 bits stay bytes.
    fn long(&mut self, code: u8) -> Sound<Value> {
        let length = if code == opcode::LONG1 { self.bytes::<1>()?[0].into() } else { u32::from_le_bytes(self.bytes()?).into() };
        let bytes = self.take(length)?;
        Ok(if bytes.len() <= size_of::<i64>() {
            let sign = if bytes.last().is_some_and(|last| *last >= 0x80) { 0xff } else { 0 };
            let mut wide = [sign; size_of::<i64>()];
            wide[..bytes.len()].copy_from_slice(&bytes);
            Value::Int(i64::from_le_bytes(wide))
        } else {
            Value::Bytes(bytes)
        })
    }

    fn length(&mut self, code: u8) -> Sound<u64> {
        Ok(match code {
            opcode::SHORT_BINSTRING | opcode::SHORT_BINUNICODE | opcode::SHORT_BINBYTES => self.bytes::<1>()?[0].into(),
            opcode::BINUNICODE8 | opcode::BINBYTES8 | opcode::BYTEARRAY8 => u64::from_le_bytes(self.bytes()?),
            _ => u32::from_le_bytes(self.bytes()?).into(),
        })
    }

    /// A place of the memo.
    fn place(&mut self, is_short: bool) -> Sound<u64> {
        Ok(if is_short { self.bytes::<1>()?[0].into() } else { u32::from_le_bytes(self.bytes()?).into() })
    }

    pub(super) fn push(&mut self, value: Value) {
        // There are no more values than instructions.
        let id = ValueId(self.values.len() as u32);
        self.values.push(value);
        self.stack.push(id);
    }

    pub(super) fn top(&self) -> Sound<ValueId> {
        self.stack.last().copied().ok_or_else(underflow)
    }

    pub(super) fn pop(&mut self) -> Sound<ValueId> {
        if self.marks.last().is_some_and(|mark| *mark >= self.stack.len()) {
            return Err(underflow());
        }
        self.stack.pop().ok_or_else(underflow)
    }

    fn pop_to_mark(&mut self) -> Sound<Vec<ValueId>> {
        let mark = self.marks.pop().ok_or_else(|| content("the pickle lacks a mark"))?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    pub(super) fn value(&self, id: ValueId) -> &Value {
        self.values.get(id.0 as usize).unwrap_or(&Value::Inert)
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> Sound<[u8; N]> {
        self.left = self.left.checked_sub(N as u64).ok_or_else(too_long)?;
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The next bytes. Memory grows with what is there, not with what is claimed.
    fn take(&mut self, length: u64) -> Sound<Vec<u8>> {
        self.left = self.left.checked_sub(length).ok_or_else(too_long)?;
        let mut bytes = Vec::new();
        self.input.by_ref().take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == length { Ok(bytes) } else { Err(content("the file ends within a pickle")) }
    }
}

fn underflow() -> Flaw {
    content("the pickle takes more from its stack than is there")
}

fn too_long() -> Flaw {
    content(format!("the pickle is longer than {} MiB", MAX_BYTES >> 20))
}
