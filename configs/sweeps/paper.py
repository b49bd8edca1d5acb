# The paper's main table: five splits, one and five shots. Each split has an annotation file of its own
# three files, docs/reproduce.md; with the authors' single file, leave cfg_options out.
#   python tools/sweep.py configs/sweeps/paper.py
configs = {'FMMP': 'configs/fmmp/1shot/fmmp_r50_mp100_split1.py'}
splits = [1, 2, 3, 4, 5]
shots = [1, 5]
seeds = [0]
cfg_options = {
    f'data.{subset}.ann_file': 'data/mp100/annotations/split{split}.json'
    for subset in ('train', 'val', 'test')
}
