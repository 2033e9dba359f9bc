//! What a pickle makes of names: nothing but tensors, dictionaries and what does not matter.

use std::io::Read;

use super::global::Global;
use super::machine::Machine;
use super::opcode;
use super::pickle::{Storage, TensorRef, Value, ValueId};
use crate::flaw::{Flaw, Sound, content};

/// Bytes of the longest name of a type, function or storage.
const MAX_NAME: usize = 256;
/// Axes of a tensor.
const MAX_AXES: usize = 16;

impl<R: Read> Machine<'_, R> {
    /// A text that may be copied as often as the pickle likes.
    fn name(&self, id: ValueId) -> Option<String> {
        match self.value(id) {
            Value::Text(text) if text.len() <= MAX_NAME => Some(text.clone()),
            _ => None,
        }
    }

    /// What a name stands for.
    pub(super) fn global(&mut self, code: u8) -> Sound<Value> {
        let (module, name) = if code == opcode::STACK_GLOBAL {
            let (name, module) = (self.pop()?, self.pop()?);
            match [module, name].map(|id| self.name(id)) {
                [Some(module), Some(name)] => (module, name),
                _ => return Err(content(format!("the pickle has a name that is no text of up to {MAX_NAME} bytes"))),
            }
        } else {
            (self.line()?, self.line()?)
        };
        let global = Global::find(&module, &name).ok_or_else(|| Flaw::Global(format!("{module}.{name}")))?;
        if code == opcode::INST {
            return Err(content(format!(
                "the pickle has the instruction INST for {module}.{name}, which no file of weights needs"
            )));
        }
        Ok(Value::Global(global))
    }

    /// An object of a class without arguments.
    pub(super) fn object(&mut self) -> Sound<Value> {
        let (arguments, class) = (self.pop()?, self.pop()?);
        match (self.value(class), self.value(arguments)) {
            (Value::Global(Global::Dictionary), Value::Tuple(none)) if none.is_empty() => Ok(Value::Dict(Vec::new())),
            (other, _) => Err(content(format!("the pickle makes an object of {}", describe(other)))),
        }
    }

    /// Sets the state of an object. That of a dictionary are notes beside its entries; that of what is inert does not matter.
    pub(super) fn build(&mut self) -> Sound<()> {
        let (state, object) = (self.pop()?, self.top()?);
        match (self.value(object), self.value(state)) {
            (Value::Dict(_) | Value::DictOf(_), Value::Dict(_) | Value::DictOf(_)) | (Value::Inert, _) => Ok(()),
            (other, _) => Err(content(format!("the pickle sets the state of {}", describe(other)))),
        }
    }

    /// Pushes what a function of the list would make of its arguments.
    pub(super) fn call(&mut self) -> Sound<()> {
        let (arguments, callable) = (self.pop()?, self.pop()?);
        let Value::Global(global) = *self.value(callable) else {
            return Err(content(format!("the pickle calls {}", describe(self.value(callable)))));
        };
        let Value::Tuple(arguments) = self.value(arguments) else {
            return Err(content("the pickle calls a function with something else than a tuple"));
        };
        let unlike = || content(format!("the pickle makes a {global:?} of {} arguments that do not fit", arguments.len()));
        let made = match (global, arguments.as_slice()) {
            (Global::Dictionary, []) => Value::Dict(Vec::new()),
            (Global::Dictionary, [pairs]) if matches!(self.value(*pairs), Value::List(_)) => Value::DictOf(*pairs),
            (Global::Tensor, [storage, offset, shape, stride, ..]) => {
                Value::Tensor(self.tensor([*storage, *offset, *shape, *stride]).ok_or_else(unlike)?)
            }
            (Global::Inert, _) => Value::Inert,
            // The one argument that matters, as it is.
            (Global::Parameter, [same, ..]) if matches!(self.value(*same), Value::Tensor(_)) => {
                let same = *same;
                self.stack.push(same);
                return Ok(());
            }
            (Global::Size, [same]) if matches!(self.value(*same), Value::Tuple(_)) => {
                let same = *same;
                self.stack.push(same);
                return Ok(());
            }
            _ => return Err(unlike()),
        };
        self.push(made);
        Ok(())
    }

    fn tensor(&self, [storage, offset, shape, stride]: [ValueId; 4]) -> Option<TensorRef> {
        let number = |id: &ValueId| match self.value(*id) {
            Value::Int(number) => u64::try_from(*number).ok(),
            _ => None,
        };
        let numbers = |id: ValueId| match self.value(id) {
            Value::Tuple(ids) if ids.len() <= MAX_AXES => ids.iter().map(number).collect::<Option<Vec<u64>>>(),
            _ => None,
        };
        let (shape, stride) = (numbers(shape)?, numbers(stride)?);
        let is_sound = matches!(self.value(storage), Value::Storage(_)) && shape.len() == stride.len();
        is_sound.then_some(TensorRef { storage, offset: number(&offset)?, shape, stride })
    }

    /// The storage that a persistent identifier names: `("storage", type, key, device, count)`, and in older files a view, which is none.
    pub(super) fn storage(&mut self) -> Sound<Value> {
        let id = self.pop()?;
        let unlike = || content("the pickle refers to something outside of it that is no storage");
        let Value::Tuple(parts) = self.value(id) else { return Err(unlike()) };
        let [kind, element, key, _device, count, view @ ..] = parts.as_slice() else { return Err(unlike()) };
        if !view.iter().all(|view| *self.value(*view) == Value::Inert) {
            return Err(content("a storage is a view of another one, as PyTorch before 0.4 wrote it"));
        }
        let key = self.name(*key).ok_or_else(unlike)?;
        match [kind, element, count].map(|id| self.value(*id)) {
            [Value::Text(kind), Value::Global(Global::Storage(element)), Value::Int(count)] if kind == "storage" => {
                let count = u64::try_from(*count).map_err(|_negative| unlike())?;
                Ok(Value::Storage(Storage { key, element: *element, count }))
            }
            _ => Err(unlike()),
        }
    }

    /// The next line of a name.
    fn line(&mut self) -> Sound<String> {
        let mut line = Vec::new();
        while line.len() < MAX_NAME {
            match self.bytes()? {
                [b'\n'] => return String::from_utf8(line).map_err(|_bytes| content("the pickle has a name that is no text")),
                [byte] => line.push(byte),
            }
        }
        Err(content(format!("the pickle has a name of more than {MAX_NAME} bytes")))
    }
}

/// What a value is, for people.
fn describe(value: &Value) -> &'static str {
    match value {
        Value::Global(_) => "a type that is made otherwise",
        Value::Tensor(_) | Value::Storage(_) => "a tensor",
        _ => "a plain value",
    }
}
