//! Instructions of a pickle, as `pickletools` of Python calls them.

macro_rules! opcodes {
    (read { $($name:ident = $byte:literal)* } refused { $($other:ident = $code:literal)* }) => {
        $(pub(super) const $name: u8 = $byte;)*

        /// How an instruction is called, if it is one.
        pub(super) fn name(opcode: u8) -> Option<&'static str> {
            match opcode {
                $($byte => Some(stringify!($name)),)*
                $($code => Some(stringify!($other)),)*
                _ => None,
            }
        }
    };
}

opcodes! {
    read {
        MARK = b'('
        EMPTY_TUPLE = b')'
        STOP = b'.'
        POP = b'0'
        POP_MARK = b'1'
        DUP = b'2'
        BINBYTES = b'B'
        SHORT_BINBYTES = b'C'
        BINFLOAT = b'G'
        BININT = b'J'
        BININT1 = b'K'
        BININT2 = b'M'
        NONE = b'N'
        BINPERSID = b'Q'
        REDUCE = b'R'
        BINSTRING = b'T'
        SHORT_BINSTRING = b'U'
        BINUNICODE = b'X'
        EMPTY_LIST = b']'
        APPEND = b'a'
        BUILD = b'b'
        GLOBAL = b'c'
        DICT = b'd'
        APPENDS = b'e'
        BINGET = b'h'
        INST = b'i'
        LONG_BINGET = b'j'
        LIST = b'l'
        BINPUT = b'q'
        LONG_BINPUT = b'r'
        SETITEM = b's'
        TUPLE = b't'
        SETITEMS = b'u'
        EMPTY_DICT = b'}'
        PROTO = 0x80
        NEWOBJ = 0x81
        TUPLE1 = 0x85
        TUPLE2 = 0x86
        TUPLE3 = 0x87
        NEWTRUE = 0x88
        NEWFALSE = 0x89
        LONG1 = 0x8a
        LONG4 = 0x8b
        SHORT_BINUNICODE = 0x8c
        BINUNICODE8 = 0x8d
        BINBYTES8 = 0x8e
        EMPTY_SET = 0x8f
        ADDITEMS = 0x90
        FROZENSET = 0x91
        STACK_GLOBAL = 0x93
        MEMOIZE = 0x94
        FRAME = 0x95
        BYTEARRAY8 = 0x96
    }
    refused {
        LONG = b'L'
        FLOAT = b'F'
        INT = b'I'
        PERSID = b'P'
        STRING = b'S'
        UNICODE = b'V'
        GET = b'g'
        OBJ = b'o'
        PUT = b'p'
        EXT1 = 0x82
        EXT2 = 0x83
        EXT4 = 0x84
        NEWOBJ_EX = 0x92
        NEXT_BUFFER = 0x97
        READONLY_BUFFER = 0x98
    }
}
