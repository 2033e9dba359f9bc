//! What covers the ground of the generated scene.

use swath_models::{Class, Colour};

/// What covers the ground at a pixel; the number is the label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cover {
    Field = 0,
    Grass = 1,
    Tree = 2,
    Water = 3,
    Road = 4,
    Roof = 5,
}

/// The classes of the generated scene and of the bundled model, in the order of their labels.
#[must_use]
pub fn classes() -> Vec<Class> {
    let class = |cover: Cover, name: &str, title: &str, [red, green, blue]: [u8; 3]| Class {
        value: cover as u8,
        name: name.into(),
        title: Some(title.into()),
        description: None,
        colour: Some(Colour { red, green, blue }),
    };
    vec![
        class(Cover::Field, "field", "Arable field", [230, 200, 110]),
        class(Cover::Grass, "grass", "Meadow, lawn and verge", [150, 205, 100]),
        class(Cover::Tree, "tree", "Trees and hedges", [35, 120, 50]),
        class(Cover::Water, "water", "River and lake", [60, 120, 200]),
        class(Cover::Road, "road", "Road and yard", [110, 110, 115]),
        class(Cover::Roof, "roof", "Building", [205, 60, 50]),
    ]
}
