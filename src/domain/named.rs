//! Values by name, in the order of the names. There are few, they are looked at
//! together and hardly ever changed, so they stand side by side: in a tree each is
//! somewhere in a node with room for eleven.

use super::text::Text;

/// See the module. What has no name here has no value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named<V>(Vec<(Text, V)>);

impl<V> Default for Named<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> Named<V> {
    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&V> {
        let place = self.place(name).ok()?;
        self.0.get(place).map(|(_, value)| value)
    }

    /// Gives a name a value.
    pub fn insert(&mut self, name: Text, value: V) {
        match self.place(&name) {
            Ok(place) => {
                if let Some((_, before)) = self.0.get_mut(place) {
                    *before = value;
                }
            }
            Err(place) => self.0.insert(place, (name, value)),
        }
    }

    /// Takes a name away.
    pub fn remove(&mut self, name: &str) {
        if let Ok(place) = self.place(name) {
            self.0.remove(place);
        }
    }

    /// Names and their values, in the order of the names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Text, &V)> + Clone {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// The values, in the order of their names.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.as_str().cmp(name))
    }
}

/// Of two values of a name the later one.
impl<V> FromIterator<(Text, V)> for Named<V> {
    fn from_iter<I: IntoIterator<Item = (Text, V)>>(values: I) -> Self {
        let mut values: Vec<(Text, V)> = values.into_iter().collect();
        let is_in_order = values.is_sorted_by(|(one, _), (other, _)| one < other);
        if !is_in_order {
            values.reverse();
            values.sort_by(|(one, _), (other, _)| one.cmp(other));
            values.dedup_by(|(later, _), (first, _)| later == first);
        }
        Self(values)
    }
}

impl<V> IntoIterator for Named<V> {
    type Item = (Text, V);
    type IntoIter = std::vec::IntoIter<(Text, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// What is done to it, with which name and value.
    fn steps() -> impl Strategy<Value = Vec<(bool, u8, u32)>> {
        proptest::collection::vec((any::<bool>(), 0..8_u8, any::<u32>()), 0..40)
    }

    fn name(of: u8) -> Text {
        format!("name-{of}").into()
    }

    proptest! {
        #[test]
        fn it_is_a_map_in_the_order_of_names(made in steps(), steps in steps()) {
            let made = made.into_iter().map(|(_, of, value)| (name(of), value));
            let mut expected: BTreeMap<Text, u32> = made.clone().collect();
            let mut named: Named<u32> = made.collect();
            for (is_insert, of, value) in steps {
                if is_insert {
                    expected.insert(name(of), value);
                    named.insert(name(of), value);
                } else {
                    expected.remove(&name(of));
                    named.remove(&name(of));
                }
            }
            prop_assert!(named.iter().eq(expected.iter()));
            prop_assert!(named.values().eq(expected.values()));
            prop_assert_eq!(named.len(), expected.len());
            prop_assert_eq!(named.is_empty(), expected.is_empty());
            for of in 0..9 {
                prop_assert_eq!(named.get(&name(of)), expected.get(&name(of)));
            }
        }
    }
}
