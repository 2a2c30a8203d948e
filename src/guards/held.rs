//! What an expression may be where a look-up found nobody.

/// What an expression is where nobody was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// What was looked for.
    Absent,
    /// Something is made of it.
    Touched,
    /// A constant that says no: `null`, `false`.
    No,
    /// `true`
    Yes,
    /// What a call gave since: perhaps a refusal.
    Answer,
    /// A text or a number that was chosen because nobody was found: the status of an error.
    Code,
    /// Anything else: it would be the same had somebody been found.
    Same,
    /// It is there, or a comparison found a difference: it holds, and says so.
    Found,
    /// An object that is there, and lacks who was looked for: `{ user: null }`.
    Lacking,
    /// A list in which nobody is, or a result that holds one.
    Empty,
    /// A list whose first is such a one: `[rows, fields]`.
    Pair,
    /// How many are in it: none.
    Zero,
}

impl Held {
    pub(super) fn truth(self) -> Option<bool> {
        match self {
            Self::Absent | Self::No | Self::Zero => Some(false),
            Self::Yes | Self::Found | Self::Lacking | Self::Empty | Self::Pair => Some(true),
            Self::Touched | Self::Answer | Self::Code | Self::Same => None,
        }
    }

    pub(super) fn found(is: bool) -> Self {
        if is { Self::Found } else { Self::Absent }
    }

    pub(super) fn tells(self) -> bool {
        !matches!(self, Self::No | Self::Yes | Self::Answer | Self::Code | Self::Same)
    }

    /// Whether it is something that is there whoever was found.
    pub(super) fn is_there(self) -> bool {
        matches!(self, Self::Lacking | Self::Empty | Self::Pair)
    }

    /// Whether a test of it says whether somebody was found.
    pub(super) fn shows(self) -> bool {
        self.tells() && !self.is_there() || self == Self::Code
    }
}

/// What one of two ways gives.
pub(super) fn either(left: Held, right: Held) -> Held {
    match (left, right) {
        _ if left == right => left,
        _ if left.tells() || right.tells() => Held::Touched,
        (Held::Answer, _) | (_, Held::Answer) => Held::Answer,
        _ => Held::Same,
    }
}
