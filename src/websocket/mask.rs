//! Masks: a client masks each of its frames.

/// How many masks are generated at a time: each time is a system call, and a frame needs four
/// bytes.
const SUPPLY: usize = 64;

/// The mask of one frame, rotated to the next byte of its payload.
#[derive(Clone, Copy)]
pub(super) struct Mask([u8; 4]);

impl Mask {
    pub(super) fn new(key: [u8; 4]) -> Mask {
        Mask(key)
    }

    /// Masks or unmasks the next piece of the payload.
    pub(super) fn apply(&mut self, piece: &mut [u8]) {
        let [a, b, c, d] = self.0;
        let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
        let mut words = piece.chunks_exact_mut(8);
        for word in &mut words {
            let masked = wide ^ u64::from_ne_bytes(word.try_into().expect("eight bytes"));
            word.copy_from_slice(&masked.to_ne_bytes());
        }
        for (byte, key) in words.into_remainder().iter_mut().zip(self.0.iter().cycle()) {
            *byte ^= key;
        }
        self.0.rotate_left(piece.len() % 4);
    }
}

/// Unpredictable masks, from the system's random numbers.
pub(super) struct Masks {
    supply: Box<[[u8; 4]; SUPPLY]>,
    used: usize,
}

impl Masks {
    pub(super) fn new() -> Masks {
        Masks { supply: Box::new([[0; 4]; SUPPLY]), used: SUPPLY }
    }

    /// Returns the mask of the next frame.
    pub(super) fn next(&mut self) -> [u8; 4] {
        if self.used == SUPPLY {
            let fetched = getrandom::fill(self.supply.as_flattened_mut());
            fetched.expect("the system's random numbers, without which no frame may be sent");
            self.used = 0;
        }
        self.used += 1;
        self.supply[self.used - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::{Mask, Masks};

    #[test]
    fn a_mask_goes_on_where_the_last_piece_ended() {
        let payload: Vec<u8> = (0..100).collect();
        let expected: Vec<u8> =
            payload.iter().zip([1, 2, 3, 4].iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        for cut in 0..payload.len() {
            let (mut masked, mut mask) = (payload.clone(), Mask::new([1, 2, 3, 4]));
            let (one, other) = masked.split_at_mut(cut);
            mask.apply(one);
            mask.apply(other);
            assert_eq!(masked, expected, "cut at {cut}");
        }
    }

    #[test]
    fn masks_do_not_repeat() {
        let mut masks = Masks::new();
        let mut fetched: Vec<_> = (0..200).map(|_| masks.next()).collect();
        fetched.sort_unstable();
        fetched.dedup();
        assert!(fetched.len() > 195, "{} of 200 differ", fetched.len());
    }
}
